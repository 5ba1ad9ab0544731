use pidlock_core::pidfile;

#[derive(Debug)]
enum AppError {
    Other,
}

type AppResult<T> = Result<T, AppError>;

#[pidfile("my_app")]
fn text() -> Result<(), String> {
    Ok(())
}

#[pidfile("my_app")]
fn own() -> Result<(), AppError> {
    Err(AppError::Other)
}

#[pidfile("my_app")]
async fn alias() -> AppResult<u32> {
    Ok(7)
}

fn main() {
    text().unwrap();
    own().unwrap();
    let _ = alias();
}
