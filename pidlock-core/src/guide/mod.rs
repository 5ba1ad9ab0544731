#![doc = include_str!("index.md")]
#![doc = include_str!("choice.svg")]

#[doc = include_str!("problem.md")]
#[doc = include_str!("ends.svg")]
pub mod problem {}

#[doc = include_str!("safe_removal.md")]
#[doc = include_str!("protocol.svg")]
pub mod safe_removal {}

#[doc = include_str!("recipes.md")]
pub mod recipes {}

#[doc = include_str!("directories.md")]
pub mod directories {}

#[doc = include_str!("services.md")]
pub mod services {}

#[doc = include_str!("limits.md")]
pub mod limits {}

#[doc = include_str!("other_tools.md")]
pub mod other_tools {}

#[doc = include_str!("file_systems.md")]
pub mod file_systems {}

#[doc = include_str!("troubleshooting.md")]
pub mod troubleshooting {}

#[doc = include_str!("attribute_errors.md")]
pub mod attribute_errors {}

#[doc = include_str!("from_python.md")]
pub mod from_python {}

#[doc = include_str!("from_other_crates.md")]
pub mod from_other_crates {}

#[doc = include_str!("comparison.md")]
pub mod comparison {}

#[doc = include_str!("../../SECURITY.md")]
pub mod security {}

#[doc = include_str!("../../CHANGELOG.md")]
pub mod changelog {}
