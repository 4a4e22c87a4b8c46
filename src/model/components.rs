//! The strongly connected components of a graph: rows, or loads, that refer to each other are one component.

/// Returns Tarjan's strongly connected components, each after those that it refers to. `parents`: for each node, the nodes that
/// it refers to. Without recursion, because chains are long.
pub fn components(parents: &[Vec<usize>]) -> Vec<Vec<usize>> {
    const NEW: usize = usize::MAX;
    let (mut index, mut low) = (vec![NEW; parents.len()], vec![NEW; parents.len()]);
    let (mut open, mut is_open) = (Vec::new(), vec![false; parents.len()]);
    let (mut units, mut count) = (Vec::new(), 0);
    for first in 0..parents.len() {
        let mut path: Vec<(usize, usize)> = if index[first] == NEW { vec![(first, 0)] } else { Vec::new() };
        while let Some((row, next)) = path.pop() {
            if next == 0 {
                (index[row], low[row]) = (count, count);
                count += 1;
                open.push(row);
                is_open[row] = true;
            }
            match parents[row].get(next) {
                Some(parent) => {
                    path.push((row, next + 1));
                    if index[*parent] == NEW {
                        path.push((*parent, 0));
                    } else if is_open[*parent] {
                        low[row] = low[row].min(index[*parent]);
                    }
                }
                None => {
                    if let Some((child, _)) = path.last() {
                        low[*child] = low[*child].min(low[row]);
                    }
                    if low[row] == index[row] {
                        let at = open.iter().rposition(|n| *n == row).unwrap_or(0);
                        let mut unit = open.split_off(at);
                        unit.iter().for_each(|n| is_open[*n] = false);
                        unit.sort_unstable();
                        units.push(unit);
                    }
                }
            }
        }
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_come_first_and_circles_stay_whole() {
        let order = |parents: &[&[usize]]| components(&parents.iter().map(|p| p.to_vec()).collect::<Vec<_>>());
        assert_eq!(order(&[&[], &[], &[0]]), [[0], [1], [2]]);
        assert_eq!(order(&[&[2], &[], &[3], &[]]), [[3], [2], [0], [1]]);
        assert_eq!(order(&[&[1], &[2], &[0], &[1]]), [vec![0, 1, 2], vec![3]]);
        assert_eq!(order(&[&[1, 2], &[0], &[]]), [vec![2], vec![0, 1]]);
    }

    #[test]
    fn a_long_chain_is_followed_without_a_deep_stack() {
        let parents: Vec<Vec<usize>> =
            (0..200_000).map(|n| if n < 199_999 { vec![n + 1] } else { Vec::new() }).collect();
        let units = components(&parents);
        assert_eq!((units.len(), units[0][0], units[199_999][0]), (200_000, 199_999, 0));
    }
}
