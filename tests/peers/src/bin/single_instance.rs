use single_instance::SingleInstance;

fn main() {
    let instance = SingleInstance::new("my_app").expect("create the socket");
    if !instance.is_single() {
        println!("busy");
        return;
    }
    println!("working");
}
