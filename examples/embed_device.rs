//! A wgpu application hands in its own device and queue; Pevatron adds its kernels beside the application's.
//!
//! `cargo run --release --example embed_device`

#[cfg(feature = "gpu")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use ndarray::Array3;
    use pevatron::compute::Backend;
    use pevatron::kernels::{ConvolveJob, CubeView};
    use pevatron::{Control, wgpu};

    // What the application has anyway.
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let Ok(adapter) = pollster::block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default())) else {
        println!("no adapter, nothing to embed into");
        return Ok(());
    };
    let (device, queue) = pollster::block_on(
        adapter.request_device(&wgpu::DeviceDescriptor { required_limits: adapter.limits(), ..Default::default() }),
    )?;

    // The same handles serve both; Pevatron installs no callbacks on a device that is not its own.
    let backend = Backend::from_wgpu(device.clone(), queue.clone())?;
    println!("on {}", backend.info().adapter);
    let image = Array3::from_shape_fn((1, 32, 32), |(_, y, x)| if (y, x) == (16, 16) { 1.0 } else { 0.0 });
    let kernel = Array3::from_elem((1, 3, 3), 1.0 / 9.0);
    let job = ConvolveJob { cube: CubeView::F64(image.view()), kernel: kernel.view() };
    let smooth = backend.engine().convolve(&job, &Control::new())?;
    assert!((smooth[[0, 15, 17]] - 1.0 / 9.0).abs() < 1e-6);

    // The device is still the application's.
    let buffer = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("application"),
        size: 256,
        usage: wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    queue.write_buffer(&buffer, 0, &[0; 256]);
    queue.submit([]);
    println!("convolved on the application's device");
    Ok(())
}

#[cfg(not(feature = "gpu"))]
fn main() {
    println!("this example needs the feature `gpu`");
}
