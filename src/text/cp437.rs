//! IBM code page 437: what a zip name is in when nothing says otherwise (APPNOTE 6.3.10, appendix D).

const HIGH: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

/// The text of bytes in code page 437; every byte has a character.
pub fn cp437(bytes: &[u8]) -> String {
    let high: Vec<char> = HIGH.chars().collect();
    bytes
        .iter()
        .map(|&byte| match byte.checked_sub(0x80) {
            None => char::from(byte),
            Some(at) => high.get(usize::from(at)).copied().unwrap_or('\u{fffd}'),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_high_byte_has_its_own_character() {
        assert_eq!(HIGH.chars().count(), 128);
        assert_eq!(cp437(b"\x81ber \xe1 \xff"), "über ß \u{a0}");
    }
}
