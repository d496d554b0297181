//! The messages of `io.k8s.apimachinery.pkg.version`. Written by `crates/codegen`; not to be edited.

use crate::table::{Field, Message, Type};

/// `io.k8s.apimachinery.pkg.version.Info`.
pub(crate) static INFO: Message = Message {
    name: "io.k8s.apimachinery.pkg.version.Info",
    fields: &[
        Field::new("buildDate", 0, Type::String).omit_empty().required(),
        Field::new("compiler", 0, Type::String).omit_empty().required(),
        Field::new("emulationMajor", 0, Type::String).omit_empty(),
        Field::new("emulationMinor", 0, Type::String).omit_empty(),
        Field::new("gitCommit", 0, Type::String).omit_empty().required(),
        Field::new("gitTreeState", 0, Type::String).omit_empty().required(),
        Field::new("gitVersion", 0, Type::String).omit_empty().required(),
        Field::new("goVersion", 0, Type::String).omit_empty().required(),
        Field::new("major", 0, Type::String).omit_empty().required(),
        Field::new("minCompatibilityMajor", 0, Type::String).omit_empty(),
        Field::new("minCompatibilityMinor", 0, Type::String).omit_empty(),
        Field::new("minor", 0, Type::String).omit_empty().required(),
        Field::new("platform", 0, Type::String).omit_empty().required(),
    ],
    atomic: false,
};
