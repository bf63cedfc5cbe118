//! Buffers and what goes into and out of them.

use std::ops::Range;
use std::sync::atomic::Ordering;
use std::time::Instant;

use bytemuck::{AnyBitPattern, NoUninit, Pod};

use super::device::GpuDevice;
use super::memory::Buffer;
use super::watch::Way;
use crate::error::{Error, Result};

/// Bytes that are uploaded or read at once: bounds the staging memory.
pub(super) const STAGING_BYTES: usize = 64 << 20;

/// Consecutive bytes of a buffer.
pub(super) type Part<'a> = (&'a Buffer, u64, u64);

/// Parts of buffers on their way to the host.
pub(super) struct Download {
    staging: Buffer,
    ranges: Vec<Range<usize>>,
    index: wgpu::SubmissionIndex,
    mapped: std::sync::mpsc::Receiver<Result<(), wgpu::BufferAsyncError>>,
    /// When it was asked for, while somebody watches.
    begun: Option<Instant>,
}

/// Parts of buffers, on the host.
pub(super) struct Downloaded {
    view: wgpu::BufferView,
    ranges: Vec<Range<usize>>,
    // After the view, which must go first.
    _staging: Buffer,
}

impl Downloaded {
    /// The values of one part.
    pub(super) fn part<T: AnyBitPattern + NoUninit>(&self, part: usize) -> &[T] {
        // Mappings begin at multiples of 64 bytes, parts at multiples of 8.
        bytemuck::cast_slice(&self.view[self.ranges[part].clone()])
    }
}

impl GpuDevice {
    /// A storage buffer of zeros.
    pub(super) fn buffer(&self, label: &str, bytes: u64) -> Result<Buffer> {
        if bytes > self.binding_bytes {
            return Err(Error::Memory {
                what: format!("{label} on {}", self.name),
                needed_bytes: bytes,
                available_bytes: self.binding_bytes,
            });
        }
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        self.new_buffer(label, bytes, usage)
    }

    /// A buffer for the uniforms of one run.
    pub(super) fn uniform(&self, bytes: usize) -> Result<Buffer> {
        let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
        self.new_buffer("pevatron.uniform", bytes.next_multiple_of(16) as u64, usage)
    }

    pub(super) fn new_buffer(&self, label: &str, bytes: u64, usage: wgpu::BufferUsages) -> Result<Buffer> {
        let size = bytes.max(16).next_multiple_of(8);
        let entry = self.ledger.enter(size, self.budget).map_err(|available_bytes| Error::Memory {
            what: format!("{label} on {}", self.name),
            needed_bytes: size,
            available_bytes,
        })?;
        let descriptor = wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false };
        Ok(Buffer::new(self.scoped(label, size, || self.device.create_buffer(&descriptor))?, entry))
    }

    /// A storage buffer with `data` in it.
    pub(super) fn upload<T: Pod>(&self, label: &str, data: &[T]) -> Result<Buffer> {
        let bytes: &[u8] = bytemuck::cast_slice(data);
        let buffer = self.buffer(label, bytes.len() as u64)?;
        self.write(&buffer, 0, data)?;
        Ok(buffer)
    }

    /// Writes `data` into a buffer, before all work submitted later.
    pub(super) fn write<T: Pod>(&self, buffer: &Buffer, offset: u64, data: &[T]) -> Result<()> {
        let bytes: &[u8] = bytemuck::cast_slice(data);
        self.uploaded.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        let begun = self.transfer_begins()?;
        let mut offset = offset;
        // The host fills one half of the staging memory while the device empties the other.
        let half = STAGING_BYTES / 2;
        let mut last = None;
        for piece in bytes.chunks(half) {
            let index = self.scoped("upload", piece.len() as u64, || {
                self.queue.write_buffer(buffer, offset, piece);
                (bytes.len() > half).then(|| self.queue.submit([]))
            })?;
            if let Some(before) = std::mem::replace(&mut last, index) {
                self.wait(before)?;
            }
            offset += piece.len() as u64;
        }
        last.map_or(Ok(()), |last| self.wait(last))?;
        self.transfer_ends(begun, Way::Into, bytes.len())
    }

    /// Fills a buffer with zeros.
    pub(super) fn clear(&self, buffer: &Buffer) -> Result<()> {
        self.scoped("clear", 0, || {
            let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            encoder.clear_buffer(buffer, 0, None);
            self.queue.submit([encoder.finish()]);
        })
    }

    /// Begins to copy parts of buffers to the host, after all work submitted before.
    pub(super) fn download(&self, parts: &[Part<'_>]) -> Result<Download> {
        let mut ranges = Vec::with_capacity(parts.len());
        let mut bytes = 0;
        for (_, _, size) in parts {
            ranges.push(bytes as usize..(bytes + size) as usize);
            bytes = (bytes + size).next_multiple_of(8);
        }
        let begun = self.transfer_begins()?;
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let staging = self.new_buffer("pevatron.readback", bytes, usage)?;
        let (sender, mapped) = std::sync::mpsc::channel();
        let index = self.scoped("readback", bytes, || {
            let mut encoder = self.device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            for ((buffer, from, size), range) in parts.iter().zip(&ranges) {
                encoder.copy_buffer_to_buffer(buffer, *from, &staging, range.start as u64, *size);
            }
            let index = self.queue.submit([encoder.finish()]);
            staging.map_async(wgpu::MapMode::Read, .., move |result| {
                // The receiver is gone only where an error was found before.
                let _ = sender.send(result);
            });
            index
        })?;
        Ok(Download { staging, ranges, index, mapped, begun })
    }

    /// Waits for a download.
    pub(super) fn finish(&self, download: Download) -> Result<Downloaded> {
        let Download { staging, ranges, index, mapped, begun } = download;
        self.wait(index)?;
        match mapped.recv_timeout(std::time::Duration::from_secs(10)) {
            Ok(Ok(())) => {}
            Ok(Err(e)) => return Err(self.error(format!("results cannot be read: {e}"))),
            Err(_) => return Err(self.error("results cannot be read: the device does not answer")),
        }
        self.transfer_ends(begun, Way::Out, ranges.last().map_or(0, |range| range.end))?;
        let view = staging.get_mapped_range(..).map_err(|e| self.error(format!("results cannot be read: {e}")))?;
        Ok(Downloaded { view, ranges, _staging: staging })
    }

    /// Reads `count` values from byte `offset` on, after all work submitted before.
    pub(super) fn read<T: Pod>(&self, buffer: &Buffer, offset: u64, count: usize) -> Result<Vec<T>> {
        let size = count * size_of::<T>();
        let mut values = Vec::with_capacity(count);
        let step = STAGING_BYTES / size_of::<T>() * size_of::<T>();
        for first in (0..size).step_by(step.max(1)) {
            let piece = step.min(size - first) as u64;
            let downloaded = self.finish(self.download(&[(buffer, offset + first as u64, piece)])?)?;
            values.extend_from_slice(downloaded.part::<T>(0));
        }
        Ok(values)
    }
}
