// #[pidfile(name = "worker-{id}", dir = config.dir(), on_error = |error| Err(error.into()))]
// pub fn work((id, _): (u32, Lease), config: &Config, _seen: bool) -> Result<(), AppError> {
//     #![allow(clippy::unit_arg)]
//     Ok(config.run(id)?)
// }

#[cfg(not(doc))] pub fn work(__plp0: (u32, Lease), config: &Config, _seen: bool) -> Result<(), AppError> {
    #![allow(clippy::unit_arg)]
    {
        let __plg;
        let __plp0 = __plp0;
        let (id, _) = __plp0;
        let config = {
            config
        };
        let _seen = {
            _seen
        };
        __plg = {
            let __plb = <::pidlock_core::__private::PidFile as ::pidlock_core::__private::Default>::default().name(&::pidlock_core::__private::format!("worker-{id}")).dir(&(config.dir()));
            match ::pidlock_core::__private::acquire(&__plb) {
                ::pidlock_core::__private::Ok(__plg) => __plg,
                ::pidlock_core::__private::Err(__ple) => return (|error: ::pidlock_core::__private::PidFileError| -> Result<(), AppError> {
                    Err(error.into())
                })(__ple),
            }
        };
        ({
            Ok(config.run(id)?)
        })
    }
}
#[cfg(doc)] pub fn work((id, _): (u32, Lease), config: &Config, _seen: bool) -> Result<(), AppError> {
    #![allow(clippy::unit_arg)]
    Ok(config.run(id)?)
}
