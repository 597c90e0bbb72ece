/// Declares a group of the pool's own settings, each in one place, as the core's `settings!` does for those of workers:
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
macro_rules! settings {
    (
        $(#[$heading:meta])*
        $group:ident: $Group:ident;
        $($name:ident: $type:ty = $default:expr => { $($interface:tt)* })*
    ) => {
        /// A group of settings; the builder documents each.
        #[derive(Clone, Debug)]
        pub(crate) struct $Group {
            $(pub(crate) $name: $type,)*
        }

        impl Default for $Group {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        macro_rules! $group {
            () => {
                interface! {
                    $(#[$heading])*
                    pool.$group:
                    $($($interface)*)*
                }
            };
        }
    };
}
