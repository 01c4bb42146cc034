//! What every program has.

#[tokio::main(flavor = "current_thread")]
async fn main() {
    println!("{}", std::env::args().count());
}
