//! The drop order in edition 2021.

#[path = "../../drop_order.rs"]
mod drop_order;
