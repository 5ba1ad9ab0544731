// #[pidfile(path = &self.path, crate = facade::pidlock)]
// async fn run(self, mut jobs: Vec<Job>) -> Result<impl Iterator<Item = Job>, AppError> {
//     self.drain(&mut jobs).await?;
//     Ok(jobs.into_iter())
// }

async fn run(self, jobs: Vec<Job>) -> Result<impl Iterator<Item = Job>, AppError> {
    {
        let mut __plg = facade::pidlock::__private::None;
        let __pls = &mut __plg;
        return async move {
            if false {
                return {
                    facade::pidlock::__private::type_witness::<Result<_, AppError>>()
                };
            }
            let _ = &self;
            let mut jobs = {
                jobs
            };
            *__pls = facade::pidlock::__private::Some({
                let __plb = facade::pidlock::__private::PidFile::at(&(&self.path));
                match facade::pidlock::__private::acquire_async(__plb).await {
                    facade::pidlock::__private::Ok(__plg) => __plg,
                    facade::pidlock::__private::Err(__ple) => return facade::pidlock::__private::refused::<Result<_, AppError>, _>(__ple, false),
                }
            });
            ({
                self.drain(&mut jobs).await?;
                Ok(jobs.into_iter())
            })
        }.await
    }
}
