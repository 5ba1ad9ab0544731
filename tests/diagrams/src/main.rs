//! Writes the diagrams and charts.

fn main() -> std::io::Result<()> {
    pidlock_diagrams::write()
}
