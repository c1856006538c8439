//! Sector chains ([MS-CFB] 2.3 to 2.5): FAT, DIFAT, mini FAT, and following them.
//!
//! Nothing here refuses: a chain that breaks gives what came before the break, and says where and why.

use crate::bytes::{Deviation, index};
use crate::limits::{Budget, Halt};

use super::header::{Header, Sectors, numbers};

/// Numbers from here on are marks, not sectors (2.1).
const MAX_REGULAR: u32 = 0xffff_fffa;
const END_OF_CHAIN: u32 = 0xffff_fffe;
const FREE: u32 = 0xffff_ffff;

/// What the table says of a sector it does not cover: a number that no file writes there.
const UNKNOWN: u32 = 0xffff_fffb;

/// An allocation table: sector to next sector.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    next: Vec<u32>,
    /// Sectors that exist.
    count: u32,
}

/// Which sectors the chain at hand went through already; one array serves all chains.
#[derive(Debug, Clone, Default)]
pub(super) struct Marks {
    stamps: Vec<u32>,
    stamp: u32,
}

impl Marks {
    /// Starts a new chain over `count` sectors.
    fn begin(&mut self, count: u32) {
        self.stamps.resize(index(count), 0);
        self.stamp = self.stamp.wrapping_add(1);
        if self.stamp == 0 {
            self.stamps.fill(0);
            self.stamp = 1;
        }
    }

    /// Marks a sector; false where it was marked before in this chain.
    fn mark(&mut self, sector: u32) -> bool {
        match self.stamps.get_mut(index(sector)) {
            Some(stamp) if *stamp != self.stamp => {
                *stamp = self.stamp;
                true
            }
            _ => false,
        }
    }
}

/// A chain as far as it goes.
#[derive(Debug, Clone, Default)]
pub(super) struct Chain {
    pub(super) sectors: Vec<u32>,
    /// Why it ended, where neither by its mark nor by the number of sectors wanted.
    pub(super) broken: Option<String>,
    /// The table did not cover it to the end, and neighbours were taken for followers.
    pub(super) guessed: bool,
    /// It leads behind the end of the file.
    pub(super) is_cut: bool,
}

impl Table {
    /// Follows a chain for at most `most` sectors. Ends because no sector is passed twice.
    pub(super) fn follow(&self, start: u32, most: usize, marks: &mut Marks) -> Chain {
        let mut chain = Chain::default();
        marks.begin(self.count);
        let mut sector = start;
        while chain.sectors.len() < most {
            if sector == END_OF_CHAIN {
                break;
            }
            if sector >= self.count {
                chain.is_cut = sector < MAX_REGULAR;
                chain.broken = Some(match sector {
                    FREE => "leads to a free sector".to_owned(),
                    MAX_REGULAR.. => format!("leads to the mark {sector:#x}"),
                    _ => format!("leads to sector {sector} of {}", self.count),
                });
                break;
            }
            if !marks.mark(sector) {
                chain.broken = Some(format!("comes back to sector {sector}"));
                break;
            }
            chain.sectors.push(sector);
            let next = self.next.get(index(sector)).copied().unwrap_or(UNKNOWN);
            sector = if next == UNKNOWN {
                // The part of the table is lost with the end of the file. Writers put streams down in one piece,
                // so the neighbour is the likeliest follower.
                chain.guessed = true;
                let neighbour = sector.saturating_add(1);
                if neighbour >= self.count {
                    chain.broken = Some("runs to the end of the file".to_owned());
                    break;
                }
                neighbour
            } else {
                next
            };
        }
        chain
    }

    /// Reads the FAT by the DIFAT. Entries for sectors behind the end of the file are surplus and dropped.
    pub(super) fn fat(
        header: &Header,
        sectors: Sectors<'_>,
        budget: &Budget,
        deviations: &mut Vec<Deviation>,
    ) -> Result<Self, Halt> {
        let count = sectors.count();
        let mut listed = header.difat.clone();
        Self::difat_chain(header, sectors, &mut listed, budget, deviations)?;
        // Trailing free marks are room for more; a free mark in between stands for a part that is lost.
        while listed
            .last()
            .is_some_and(|&sector| sector == FREE || sector == END_OF_CHAIN)
        {
            listed.pop();
        }
        let used = listed
            .iter()
            .filter(|&&sector| sector < MAX_REGULAR)
            .count();
        if used != index(header.fat_sectors) {
            deviations.push(Deviation::new(
                44,
                format!(
                    "number of FAT sectors: found {used}, header says {}",
                    header.fat_sectors
                ),
            ));
        }
        let entries = sectors.size() / 4;
        let mut next: Vec<u32> = Vec::new();
        // Ends at the latest when there is an entry for every sector of the file.
        for (ordinal, &sector) in listed.iter().enumerate() {
            budget.tick()?;
            if next.len() >= index(count) {
                // Office lists room for more; anything but free marks there is odd.
                let rest = listed.get(ordinal..).unwrap_or_default();
                let free = |sector: &u32| {
                    sectors
                        .bytes(*sector)
                        .is_none_or(|bytes| bytes.iter().all(|&byte| byte == 0xff))
                };
                let surplus = rest.iter().filter(|sector| !free(sector)).count();
                if surplus > 0 {
                    deviations.push(Deviation::new(
                        76,
                        format!("FAT: {surplus} sectors more than the file needs"),
                    ));
                }
                break;
            }
            let bytes = sectors.bytes(sector).unwrap_or_default();
            let end = next.len().saturating_add(entries).min(index(count));
            next.extend(numbers(bytes).take(end.saturating_sub(next.len())));
            if next.len() < end {
                deviations.push(Deviation::new(
                    sectors.offset(sector).min(sectors.data.len()),
                    format!(
                        "FAT sector {ordinal} (sector {sector}): {} bytes are there",
                        bytes.len()
                    ),
                ));
                next.resize(end, UNKNOWN);
            }
        }
        Ok(Self { next, count })
    }

    /// Reads the DIFAT sectors (2.5): all numbers but the last list FAT sectors, the last leads on.
    fn difat_chain(
        header: &Header,
        sectors: Sectors<'_>,
        listed: &mut Vec<u32>,
        budget: &Budget,
        deviations: &mut Vec<Deviation>,
    ) -> Result<(), Halt> {
        let mut marks = Marks::default();
        marks.begin(sectors.count());
        let mut sector = header.first_difat;
        // Ends because no sector is passed twice. Zero stands in files that mean "none".
        while sector < MAX_REGULAR && !(sector == 0 && header.fat_sectors <= 109) {
            budget.tick()?;
            let Some(bytes) = sectors.bytes(sector).filter(|_| marks.mark(sector)) else {
                deviations.push(Deviation::new(
                    68,
                    format!("DIFAT leads to sector {sector} of {}", sectors.count()),
                ));
                return Ok(());
            };
            let mut found: Vec<u32> = numbers(bytes).collect();
            let next = if bytes.len() == sectors.size() {
                found.pop()
            } else {
                None
            };
            listed.append(&mut found);
            sector = next.unwrap_or(END_OF_CHAIN);
        }
        Ok(())
    }

    /// Reads the mini FAT, a chain of ordinary sectors (2.4); `count` mini sectors exist.
    pub(super) fn mini_fat(
        header: &Header,
        fat: &Self,
        sectors: Sectors<'_>,
        count: u32,
        marks: &mut Marks,
    ) -> Self {
        let most = index(count).saturating_mul(4).div_ceil(sectors.size());
        let chain = fat.follow(header.first_mini_fat, most, marks);
        let next = chain
            .sectors
            .iter()
            .filter_map(|&sector| sectors.bytes(sector))
            .flat_map(numbers)
            .take(index(count))
            .collect();
        Self { next, count }
    }
}
