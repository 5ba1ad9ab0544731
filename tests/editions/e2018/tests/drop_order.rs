//! The drop order of edition 2018.

#[path = "../../drop_order.rs"]
mod drop_order;
