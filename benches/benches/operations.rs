//! The four operations of each contender, with criterion's statistics.
//!
//! The contenders run one after the other, not in interleaved rounds. Use this to profile an
//! operation, not to compare contenders.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion};
use pidlock_benches::contenders;
use pidlock_benches::holder::Holder;
use pidlock_benches::operation::Operation;
use pidlock_benches::place::Place;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for place in [Place::memory(), Place::disk()] {
        for operation in Operation::ALL {
            group(&mut criterion, &place, operation);
        }
    }
    criterion.final_summary();
}

fn group(criterion: &mut Criterion, place: &Place, operation: Operation) {
    let name = format!("{} on {}", operation.name(), place.name);
    let mut group = criterion.benchmark_group(name);
    for contender in contenders::ALL {
        let Some(run) = contender.operation(operation) else {
            continue;
        };
        let path = place
            .path()
            .join(format!("{}-{}", contender.key, operation.name()));
        let _holder = operation
            .is_held()
            .then(|| Holder::contender(contender.key, &path));
        group.bench_function(BenchmarkId::from_parameter(contender.key), |bencher| {
            bencher.iter_custom(|count| operation.total(run, black_box(&path), count));
        });
    }
    group.finish();
}
