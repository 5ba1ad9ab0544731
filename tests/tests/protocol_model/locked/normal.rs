//! The normal form of states: equivalent states become equal.

use super::state::{CLOSED, Children, FILES, File, NO_CONTENTS, NO_FILE, State};

impl State {
    /// Renumbers the files, so that states that differ only in file numbers become equal.
    pub(super) fn in_normal_form(mut self) -> Self {
        let mut new_numbers = [NO_FILE; FILES];
        let mut files = [NO_CONTENTS; FILES];
        let mut count = 0;
        let old_files = self.files;
        let mut renumber = |file: &mut File| {
            if *file == NO_FILE {
                return;
            }
            let old = usize::from(*file);
            if new_numbers[old] == NO_FILE {
                new_numbers[old] = count;
                files[usize::from(count)] = old_files[old];
                count += 1;
            }
            *file = new_numbers[old];
        };
        renumber(&mut self.path);
        for process in &mut self.processes {
            renumber(&mut process.open.file);
            renumber(&mut process.reopened.file);
        }
        renumber(&mut self.probe.file);
        renumber(&mut self.writer.file);
        // A file that is not at the path, and that only children have open, blocks no process.
        for open in &mut self.left_to_children {
            let known = open.file != NO_FILE && new_numbers[usize::from(open.file)] != NO_FILE;
            if known {
                open.file = new_numbers[usize::from(open.file)];
            } else if open.is_held_by_children() {
                // All such files are equivalent, so they share the last number.
                open.file = FILES as File - 1;
                files[FILES - 1] = NO_CONTENTS;
            } else {
                *open = CLOSED;
            }
            if open.children == Children::None {
                *open = CLOSED;
            }
        }
        self.left_to_children.sort_unstable();
        self.files = files;
        self
    }
}
