// #[pidfile("my_app", dir = "/run/my_app", keep)]
// fn main() {
//     serve();
// }

fn main() {
    {
        let __plg;
        __plg = {
            let __plb = <::pidlock_core::__private::PidFile as ::pidlock_core::__private::Default>::default().name("my_app").dir("/run/my_app").keep(true);
            match ::pidlock_core::__private::acquire(&__plb) {
                ::pidlock_core::__private::Ok(__plg) => __plg,
                ::pidlock_core::__private::Err(__ple) => return ::pidlock_core::__private::refused::<(), _>(__ple, true),
            }
        };
        ({
            serve();
        })
    }
}
