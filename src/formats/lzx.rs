//! LZX ([MS-PATCH] section 2): the windows that decoders know.

use lzxd::WindowSize;

/// The window of so many bytes; none where no decoder knows it.
pub fn window(bytes: u32) -> Option<WindowSize> {
    Some(match bytes {
        0x8000 => WindowSize::KB32,
        0x1_0000 => WindowSize::KB64,
        0x2_0000 => WindowSize::KB128,
        0x4_0000 => WindowSize::KB256,
        0x8_0000 => WindowSize::KB512,
        0x10_0000 => WindowSize::MB1,
        0x20_0000 => WindowSize::MB2,
        _ => return None,
    })
}
