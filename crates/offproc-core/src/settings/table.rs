/// Declares a group of settings of workers, each in one place:
///
/// ```text
/// settings! {
///     /// # Heading in the documentation of the builder
///     group: Group;
///
///     name: Type = default => {
///         /// What it means. **Default:** …
///         fn name(argument: Type) |settings| settings.name = argument;
///         get name -> Type |settings| settings.name;
///     }
/// }
/// ```
///
/// This makes the struct `Group`, which the hello of a worker contains: a field with `#[serde(skip)]` is not sent, for
/// only the parent acts on it. The pool makes the builder's setter and the context's getter of what is in the braces,
/// by its macro `interface!`: it runs the macro `group!`, which is exported for that.
macro_rules! settings {
    (
        $(#[$heading:meta])*
        $group:ident: $Group:ident;
        $(
            $(#[$field:meta])*
            $name:ident: $type:ty = $default:expr => { $($interface:tt)* }
        )*
    ) => {
        /// A group of settings; the pool's builder documents each.
        #[allow(missing_docs, reason = "the documentation is the setter's")]
        #[derive(Clone, Debug, ::serde::Serialize, ::serde::Deserialize)]
        pub struct $Group {
            $($(#[$field])* pub $name: $type,)*
        }

        impl Default for $Group {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        #[doc(hidden)]
        #[macro_export]
        macro_rules! $group {
            () => {
                interface! {
                    $(#[$heading])*
                    worker.$group:
                    $($($interface)*)*
                }
            };
        }
    };
}
