//! The drop order of edition 2024.

#[path = "../../drop_order.rs"]
mod drop_order;
