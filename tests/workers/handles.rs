//! Windows: handles and sockets go with calls, both ways, and none of the program's others is in a worker.
#![cfg(windows)]

use offproc::{Error, Fd};
use offproc_tests::scratch::Scratch;
use offproc_tests::windows::handles;
use offproc_tests::{Case, matrix};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

matrix!(
    of_files_go_both_ways,
    of_sockets_go_both_ways,
    as_many_as_there_may_be_go_and_one_more_is_an_error,
    leave_nothing_in_the_worker_nor_in_the_program,
    have_the_last_lines_of_stderr,
);

fn read_and_make((file, path): (Fd<File>, String)) -> (String, Fd<File>) {
    let mut text = String::new();
    file.0.take(5).read_to_string(&mut text).unwrap();
    let mut made = File::options().read(true).write(true).create_new(true).open(path).unwrap();
    made.write_all(b"from the worker").unwrap();
    (text, Fd(made))
}

async fn of_files_go_both_ways(case: Case) {
    let scratch = Scratch::new();
    let path = scratch.path("here");
    std::fs::write(&path, "one, two, three").unwrap();
    let mut file = File::open(&path).unwrap();
    file.seek(SeekFrom::Start(5)).unwrap();
    let context = case.context();
    let argument = (Fd(file.try_clone().unwrap()), scratch.path("there"));
    let (text, mut made) = context.run_sync(read_and_make, argument).await.unwrap();
    assert_eq!(text, "two, ", "from where the program has read to");
    assert_eq!(file.stream_position().unwrap(), 10, "of the same open file");
    let mut text = String::new();
    made.0.rewind().unwrap();
    made.0.read_to_string(&mut text).unwrap();
    assert_eq!(text, "from the worker");
    context.close().await.unwrap();
}

/// Answers on a connection, and listens for another.
fn answer_and_listen(mut stream: Fd<TcpStream>) -> (u16, Fd<TcpListener>) {
    let mut question = [0; 5];
    stream.0.read_exact(&mut question).unwrap();
    question.reverse();
    stream.0.write_all(&question).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    (listener.local_addr().unwrap().port(), Fd(listener))
}

async fn of_sockets_go_both_ways(case: Case) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut here = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (there, _) = listener.accept().unwrap();
    let context = case.context();
    here.write_all(b"right").unwrap();
    let (port, theirs) = context.run_sync(answer_and_listen, Fd(there)).await.unwrap();
    let mut answer = String::new();
    here.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "thgir", "and then its end, as the worker has closed it");
    context.close().await.unwrap();
    // It outlives the worker.
    assert_eq!(theirs.0.local_addr().unwrap().port(), port);
    let _connection = TcpStream::connect(("127.0.0.1", port)).unwrap();
    theirs.0.accept().unwrap();
}

fn count_files(files: Vec<Fd<File>>) -> usize {
    files.into_iter().filter(|file| file.0.metadata().is_ok()).count()
}

async fn as_many_as_there_may_be_go_and_one_more_is_an_error(case: Case) {
    let scratch = Scratch::new();
    let file = Arc::new(File::create(scratch.path("file")).unwrap());
    let context = case.context();
    let many = |count| -> Vec<Fd<File>> { (0..count).map(|_| Fd(file.try_clone().unwrap())).collect() };
    assert_eq!(context.run_sync(count_files, many(Fd::MOST)).await.unwrap(), Fd::MOST);
    let error = context.run_sync(count_files, many(Fd::MOST + 1)).await.unwrap_err();
    assert!(matches!(error, Error::Encode(_)), "{error}");
    assert_eq!(context.run_sync(count_files, many(1)).await.unwrap(), 1);
    context.close().await.unwrap();
}

/// Takes some and gives as many back; how many handles the process has then.
fn exchange((files, socket): (Vec<Fd<File>>, Fd<TcpStream>)) -> (usize, Vec<Fd<File>>, Fd<TcpStream>) {
    (handles::count(), files, socket)
}

async fn leave_nothing_in_the_worker_nor_in_the_program(case: Case) {
    /// What the system may open for itself meanwhile, and keep: far less than one for each call.
    const SLACK: usize = 8;
    const CALLS: usize = 50;
    let scratch = Scratch::new();
    let file = File::create(scratch.path("file")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let context = case.context();
    let argument = || {
        let files = vec![Fd(file.try_clone().unwrap()), Fd(file.try_clone().unwrap())];
        (files, Fd(socket.try_clone().unwrap()))
    };
    let (mut first, mut last) = ((0, 0), (0, 0));
    for call in 0..CALLS + 5 {
        let (there, files, _socket) = context.run_sync(exchange, argument()).await.unwrap();
        assert_eq!(files.len(), 2);
        last = (there, handles::count());
        // The first ones open what stays.
        if call == 4 {
            first = last;
        }
    }
    assert!(last.0 <= first.0 + SLACK, "in the worker {} before and {} after {CALLS} calls", first.0, last.0);
    assert!(last.1 <= first.1 + SLACK, "in the program {} before and {} after {CALLS} calls", first.1, last.1);
    context.close().await.unwrap();
}

fn complain_and_die(lines: u32) {
    for line in 1..=lines {
        eprintln!("complaint {line}");
    }
    std::process::abort();
}

async fn have_the_last_lines_of_stderr(case: Case) {
    let context = case.builder().keep_stderr(true).open().unwrap();
    let Err(Error::BrokenWorker(death)) = context.run_sync(complain_and_die, 10_000).await else {
        panic!("it has died")
    };
    let last = "complaint 9998\ncomplaint 9999\ncomplaint 10000\n";
    assert!(death.stderr().is_some_and(|stderr| stderr.contains(last)), "{:?}", death.stderr());
    context.close().await.unwrap();
}
