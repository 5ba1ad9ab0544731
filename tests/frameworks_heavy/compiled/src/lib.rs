//! Functions that are compiled and not run. Each stands in both orders.

/// A command of tauri. Its wrapper is a macro, which calls the function.
pub mod commands {
    /// Ours above.
    pub mod above {
        use std::io;

        #[pidlock_core::pidfile("above")]
        #[tauri_macros::command]
        pub(crate) fn greet(name: &str) -> io::Result<String> {
            Ok(format!("hello {name}"))
        }

        #[pidlock_core::pidfile("above")]
        #[tauri_macros::command]
        pub(crate) async fn greet_later(name: String) -> io::Result<String> {
            Ok(format!("hello {name}"))
        }

        /// Calls the functions, so that they are compiled.
        pub fn all() {
            let _ = (greet("x"), greet_later("x".to_owned()));
        }
    }

    /// Ours below.
    pub mod below {
        use std::io;

        #[tauri_macros::command]
        #[pidlock_core::pidfile("below")]
        pub(crate) fn greet_below(name: &str) -> io::Result<String> {
            Ok(format!("hello {name}"))
        }

        #[tauri_macros::command]
        #[pidlock_core::pidfile("below")]
        pub(crate) async fn greet_below_later(name: String) -> io::Result<String> {
            Ok(format!("hello {name}"))
        }

        /// Calls the functions, so that they are compiled.
        pub fn all() {
            let _ = (greet_below("x"), greet_below_later("x".to_owned()));
        }
    }
}

/// A function of a Python module.
pub mod python {
    /// Ours above.
    pub mod above {
        use pyo3::prelude::*;

        /// Adds one.
        #[pidlock_core::pidfile("above")]
        #[pyfunction]
        #[pyo3(signature = (number = 1))]
        pub fn work(number: u32) -> std::io::Result<u32> {
            Ok(number + 1)
        }

        #[pymodule]
        fn above(module: &Bound<'_, PyModule>) -> PyResult<()> {
            module.add_function(wrap_pyfunction!(work, module)?)
        }
    }

    /// Ours below.
    pub mod below {
        use pyo3::prelude::*;

        /// Adds one.
        #[pyfunction]
        #[pyo3(signature = (number = 1))]
        #[pidlock_core::pidfile("below")]
        pub fn work(number: u32) -> std::io::Result<u32> {
            Ok(number + 1)
        }

        #[pymodule]
        fn below(module: &Bound<'_, PyModule>) -> PyResult<()> {
            module.add_function(wrap_pyfunction!(work, module)?)
        }
    }
}
