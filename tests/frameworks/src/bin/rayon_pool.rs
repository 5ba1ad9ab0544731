//! Work items in a rayon pool. Only one process works on an item at a time; other processes skip
//! the item.

use pidlock_core::pidfile;
use rayon::prelude::*;

const FRAMES: usize = 4;

/// Returns `true` if the frame was rendered.
#[pidfile("frame-{frame}", temp_dir = true, on_error = pidlock_core::on_error::skip)]
fn render(frame: usize) -> bool {
    println!("frame {frame}");
    pidlock_frameworks::work().is_ok()
}

fn main() -> Result<(), rayon::ThreadPoolBuildError> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(FRAMES)
        .build()?;
    let rendered = pool.install(|| {
        let frames = (0..FRAMES).into_par_iter().with_max_len(1);
        frames.filter(|&frame| render(frame)).count()
    });
    println!("rendered {rendered}");
    Ok(())
}
