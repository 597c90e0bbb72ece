use super::*;

fn bytes(head: &Head<'_>, values: &[Value<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    append(head, values, &mut out);
    out
}

fn example() -> (Head<'static>, Vec<Value<'static>>) {
    let fields = vec!["message", "ratio", "cause", "big", "name", "is"];
    let head = Head {
        level: 3,
        name: "event src/a.rs:7",
        target: "a::b",
        module_path: None,
        file: Some("src/a.rs"),
        line: Some(7),
        fields,
    };
    let values = vec![
        Value::Debug("ä message"),
        Value::F64(-0.5),
        Value::Error(vec!["outer", "inner"]),
        Value::I128(i128::MIN),
        Value::Str(""),
        Value::Bool(true),
    ];
    (head, values)
}

#[test]
fn an_event_is_what_it_was() {
    let (head_of_it, values_of_it) = example();
    let bytes = bytes(&head_of_it, &values_of_it);
    let (first, rest) = split(&bytes).unwrap();
    assert_eq!(head(first).unwrap(), head_of_it);
    assert_eq!(values(rest, 6).unwrap(), values_of_it);
}

#[test]
fn a_part_of_an_event_is_none_nor_is_one_with_more() {
    let (head_of_it, values_of_it) = example();
    let whole = bytes(&head_of_it, &values_of_it);
    let is_event = |bytes: &[u8]| {
        split(bytes)
            .is_some_and(|(first, rest)| head(first).is_some_and(|head| values(rest, head.fields.len()).is_some()))
    };
    assert!(is_event(&whole));
    assert!((0..whole.len()).all(|end| !is_event(&whole[..end])));
    assert!(!is_event(&[&whole[..], &[0]].concat()));
}

#[test]
fn text_is_cut_between_two_characters_and_says_so() {
    let mut said = EventFields::default();
    let long = "é".repeat(MOST_TEXT);
    let first = said.print(format_args!("x{long}"));
    let second = said.print(format_args!("more"));
    let text = &said.text.text[first];
    assert!(text.len() <= MOST_TEXT + '…'.len_utf8());
    assert!(text.ends_with("é…"), "{:?}", &text[text.len() - 8..]);
    assert!(second.is_empty());
}
