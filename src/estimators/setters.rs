//! Chaining setters of the options of estimators.

/// One setter for each public field of that name, of the type that is taken, and what it is.
macro_rules! setters {
    ($($name:ident: $type:ty, $doc:literal;)*) => {
        $(
            #[doc = $doc]
            #[must_use]
            pub fn $name(mut self, value: $type) -> Self {
                self.$name = value.into();
                self
            }
        )*
    };
}

pub(in crate::estimators) use setters;
