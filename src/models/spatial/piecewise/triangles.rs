//! Nodes in a plane, joined to triangles in a way that does not depend on their order.

use std::collections::{BTreeMap, BTreeSet};

use spade::{DelaunayTriangulation, Point2, Triangulation};

/// Nodes that are no more than this apart, in parts of the extent of all, are one.
const SAME: f64 = 1e-9;
/// A node that is by no more than this off the circle through three others, in radii, lies on it.
const ON_CIRCLE: f64 = 1e-9;
/// Triangles at the border that are less high than this, in parts of their longest side, are three nodes on a line.
const FLAT: f64 = 1e-9;
/// Weights of corners down to this are those of a place inside of a triangle.
const INSIDE: f64 = -1e-9;
/// Most cells of the index of triangles, per side.
const MOST_CELLS: f64 = 300.0;

type Place = [f64; 2];
/// Nodes counterclockwise.
type Corners = [usize; 3];

/// Twice the area, positive where the three lie counterclockwise.
fn area(a: Place, b: Place, c: Place) -> f64 {
    (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])
}

fn distance(a: Place, b: Place) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}

/// The sides of a triangle as pairs of nodes; side k is the one that corner k is not on.
fn sides_of(corners: Corners) -> [(usize, usize); 3] {
    [(corners[1], corners[2]), (corners[2], corners[0]), (corners[0], corners[1])]
}

/// Delaunay triangles of nodes, which are counted by longitude, then latitude.
#[derive(Debug)]
pub(super) struct Triangles {
    /// The nodes' numbers as they were given.
    pub order: Vec<usize>,
    places: Vec<Place>,
    corners: Vec<Corners>,
    /// The triangle beyond side k.
    neighbours: Vec<[Option<usize>; 3]>,
    /// Sides without a neighbour: triangle and number of the side.
    border: Vec<(usize, usize)>,
    index: Index,
}

/// For cells of a grid, the triangles that may lie in them.
#[derive(Debug)]
struct Index {
    start: Place,
    /// Cells per degree.
    scale: Place,
    cells: [usize; 2],
    triangles: Vec<Vec<usize>>,
}

impl Triangles {
    /// Joins nodes.
    ///
    /// # Errors
    /// Says what is wrong where two nodes are one or all lie on a line.
    pub fn new(places: Vec<Place>) -> Result<Self, String> {
        // The order in which they were given must not matter, not even for rounding.
        let mut order: Vec<usize> = (0..places.len()).collect();
        order.sort_by(|a, b| places[*a][0].total_cmp(&places[*b][0]).then(places[*a][1].total_cmp(&places[*b][1])));
        let sorted: Vec<Place> = order.iter().map(|i| places[*i]).collect();
        if let Some((i, j)) = same_place(&sorted) {
            let [lon, lat] = sorted[i];
            let (first, second) = (order[i].min(order[j]), order[i].max(order[j]));
            return Err(format!("nodes {first} and {second} are at the same place, {lon}, {lat} deg"));
        }
        let mut corners = delaunay(&sorted)?;
        without_flat(&sorted, &mut corners);
        if corners.is_empty() {
            return Err("all nodes lie on a line".to_string());
        }
        let corners = cut_alike(&sorted, corners);
        Ok(Self::of(order, sorted, corners))
    }

    fn of(order: Vec<usize>, places: Vec<Place>, corners: Vec<Corners>) -> Self {
        let beyond = by_side(&corners);
        let mut neighbours = Vec::with_capacity(corners.len());
        let mut border = Vec::new();
        for (t, own) in corners.iter().enumerate() {
            let found = sides_of(*own).map(|(a, b)| beyond.get(&(b, a)).copied());
            border.extend((0..3).filter(|k| found[*k].is_none()).map(|k| (t, k)));
            neighbours.push(found);
        }
        let index = Index::new(&places, &corners);
        Self { order, places, corners, neighbours, border, index }
    }

    /// Number of triangles, 1 or more.
    pub fn len(&self) -> usize {
        self.corners.len()
    }

    /// Where a node lies.
    pub fn place(&self, node: usize) -> Place {
        self.places[node]
    }

    /// Nodes of a triangle, counterclockwise.
    pub fn corners(&self, triangle: usize) -> Corners {
        self.corners[triangle]
    }

    /// The triangle beyond side k, the one that corner k is not on.
    pub fn neighbour(&self, triangle: usize, k: usize) -> Option<usize> {
        self.neighbours[triangle][k]
    }

    /// The middle of a triangle.
    pub fn centroid(&self, triangle: usize) -> Place {
        let [a, b, c] = self.corners[triangle].map(|n| self.places[n]);
        [(a[0] + b[0] + c[0]) / 3.0, (a[1] + b[1] + c[1]) / 3.0]
    }

    /// All sides as pairs of nodes, each once.
    pub fn sides(&self) -> impl Iterator<Item = (usize, usize)> {
        let all: BTreeSet<(usize, usize)> =
            self.corners.iter().flat_map(|c| sides_of(*c)).map(|(a, b)| (a.min(b), a.max(b))).collect();
        all.into_iter()
    }

    /// The triangle that a place lies in, and its weights of the corners; beyond all triangles, those of the nearest place
    /// on their border.
    pub fn locate(&self, p: Place) -> (usize, [f64; 3]) {
        let mut best: Option<(f64, usize, [f64; 3])> = None;
        for triangle in self.index.near(p) {
            let weights = self.weights(*triangle, p);
            let least = weights[0].min(weights[1]).min(weights[2]);
            if least >= 0.0 {
                return (*triangle, weights);
            }
            if least >= INSIDE && best.is_none_or(|(other, ..)| least > other) {
                best = Some((least, *triangle, weights));
            }
        }
        match best {
            Some((_, triangle, weights)) => (triangle, weights),
            None => self.nearest(p),
        }
    }

    fn weights(&self, triangle: usize, p: Place) -> [f64; 3] {
        let [a, b, c] = self.corners[triangle].map(|n| self.places[n]);
        let whole = area(a, b, c);
        let (u, v) = (area(p, b, c) / whole, area(p, c, a) / whole);
        [u, v, 1.0 - u - v]
    }

    /// The nearest place on the border.
    fn nearest(&self, p: Place) -> (usize, [f64; 3]) {
        let mut found = (f64::INFINITY, 0, [1.0, 0.0, 0.0]);
        for (triangle, k) in &self.border {
            let (i, j) = ((k + 1) % 3, (k + 2) % 3);
            let (a, b) = (self.places[self.corners[*triangle][i]], self.places[self.corners[*triangle][j]]);
            let side = [b[0] - a[0], b[1] - a[1]];
            let along = (p[0] - a[0]) * side[0] + (p[1] - a[1]) * side[1];
            let t = (along / (side[0] * side[0] + side[1] * side[1])).clamp(0.0, 1.0);
            let away = distance(p, [a[0] + t * side[0], a[1] + t * side[1]]);
            if away < found.0 {
                let mut weights = [0.0; 3];
                (weights[i], weights[j]) = (1.0 - t, t);
                found = (away, *triangle, weights);
            }
        }
        (found.1, found.2)
    }
}

/// The triangle of each side, in the direction in which it goes around.
fn by_side(corners: &[Corners]) -> BTreeMap<(usize, usize), usize> {
    corners.iter().enumerate().flat_map(|(t, c)| sides_of(*c).map(|side| (side, t))).collect()
}

/// Two nodes of a list by longitude that are so close, measured by the extent of all, that slopes between them are rounding.
fn same_place(sorted: &[Place]) -> Option<(usize, usize)> {
    let range = |axis: usize| {
        let of = |f: fn(f64, f64) -> f64, start: f64| sorted.iter().map(|p| p[axis]).fold(start, f);
        of(f64::max, f64::NEG_INFINITY) - of(f64::min, f64::INFINITY)
    };
    let closest = SAME * range(0).max(range(1));
    (0..sorted.len()).find_map(|i| {
        let near = (i + 1..sorted.len()).take_while(|j| sorted[*j][0] - sorted[i][0] <= closest);
        near.into_iter().find(|j| distance(sorted[i], sorted[*j]) <= closest).map(|j| (i, j))
    })
}

fn delaunay(places: &[Place]) -> Result<Vec<Corners>, String> {
    let points = places.iter().map(|p| Point2::new(p[0], p[1])).collect();
    let joined = DelaunayTriangulation::<Point2<f64>>::bulk_load_stable(points)
        .map_err(|e| format!("its nodes cannot be joined to triangles: {e}"))?;
    let corners = joined.inner_faces().map(|face| face.vertices().map(|v| v.index()));
    Ok(corners.collect())
}

/// Takes away triangles at the border that are lines: nodes that lie on one by their coordinates but for rounding.
fn without_flat(places: &[Place], corners: &mut Vec<Corners>) {
    loop {
        let beyond = by_side(corners);
        let is_flat = |own: &Corners| {
            let [a, b, c] = own.map(|n| places[n]);
            let longest = distance(a, b).max(distance(b, c)).max(distance(c, a));
            let at_border = sides_of(*own).iter().any(|(a, b)| !beyond.contains_key(&(*b, *a)));
            at_border && area(a, b, c) <= FLAT * longest * longest
        };
        let before = corners.len();
        corners.retain(|own| !is_flat(own));
        if corners.len() == before {
            return;
        }
    }
}

/// Cuts each polygon of nodes on one circle from its node of the least longitude (of these, the least latitude), whichever
/// way it was cut before.
fn cut_alike(places: &[Place], corners: Vec<Corners>) -> Vec<Corners> {
    let beyond = by_side(&corners);
    // Triangles on one circle get one number.
    let mut group: Vec<usize> = (0..corners.len()).collect();
    fn root(group: &mut [usize], mut t: usize) -> usize {
        while group[t] != t {
            group[t] = group[group[t]];
            t = group[t];
        }
        t
    }
    for (t, own) in corners.iter().enumerate() {
        let Some((center, radius)) = circle(own.map(|n| places[n])) else { continue };
        for (a, b) in sides_of(*own) {
            let Some(other) = beyond.get(&(b, a)) else { continue };
            let far = corners[*other].into_iter().find(|n| *n != a && *n != b);
            if far.is_some_and(|far| (distance(places[far], center) - radius).abs() <= ON_CIRCLE * radius) {
                let (a, b) = (root(&mut group, t), root(&mut group, *other));
                group[a.max(b)] = a.min(b);
            }
        }
    }
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for t in 0..corners.len() {
        members.entry(root(&mut group, t)).or_default().push(t);
    }
    let of_group = |group: &Vec<usize>| -> Vec<Corners> {
        let before: Vec<Corners> = group.iter().map(|t| corners[*t]).collect();
        if before.len() < 2 { before } else { fan(places, &before).unwrap_or(before) }
    };
    members.values().flat_map(of_group).collect()
}

/// Centre and radius of the circle through three places.
fn circle([a, b, c]: [Place; 3]) -> Option<(Place, f64)> {
    let (u, v) = ([b[0] - a[0], b[1] - a[1]], [c[0] - a[0], c[1] - a[1]]);
    let twice = 2.0 * (u[0] * v[1] - u[1] * v[0]);
    let (uu, vv) = (u[0] * u[0] + u[1] * u[1], v[0] * v[0] + v[1] * v[1]);
    let offset = [(v[1] * uu - u[1] * vv) / twice, (u[0] * vv - v[0] * uu) / twice];
    let radius = offset[0].hypot(offset[1]);
    radius.is_finite().then_some(([a[0] + offset[0], a[1] + offset[1]], radius))
}

/// The polygon of some triangles, cut anew from one of its nodes; `None` where they make no convex polygon.
fn fan(places: &[Place], triangles: &[Corners]) -> Option<Vec<Corners>> {
    let sides: BTreeSet<(usize, usize)> = triangles.iter().flat_map(|c| sides_of(*c)).collect();
    let next: BTreeMap<usize, usize> = sides.iter().filter(|(a, b)| !sides.contains(&(*b, *a))).copied().collect();
    if next.len() != triangles.len() + 2 {
        return None;
    }
    let all = || next.keys().map(|n| places[*n]);
    let low = all().map(|p| p[0]).fold(f64::INFINITY, f64::min);
    let extent = all().map(|p| p[0]).fold(f64::NEG_INFINITY, f64::max) - low;
    // Longitudes that differ by rounding are the same.
    let western = next.keys().copied().filter(|n| places[*n][0] - low <= ON_CIRCLE * extent);
    let first = western.min_by(|a, b| places[*a][1].total_cmp(&places[*b][1]))?;
    let mut around = vec![first];
    let mut at = *next.get(&first)?;
    while at != first {
        around.push(at);
        at = *next.get(&at)?;
        if around.len() > next.len() {
            return None;
        }
    }
    if around.len() != next.len() {
        return None;
    }
    let cut: Vec<Corners> = around[1..].windows(2).map(|w| [first, w[0], w[1]]).collect();
    let is_proper = |c: &Corners| {
        let [a, b, c] = c.map(|n| places[n]);
        let longest = distance(a, b).max(distance(b, c)).max(distance(c, a));
        area(a, b, c) > FLAT * longest * longest
    };
    cut.iter().all(is_proper).then_some(cut)
}

impl Index {
    fn new(places: &[Place], corners: &[Corners]) -> Self {
        let of = |axis: usize, f: fn(f64, f64) -> f64, start: f64| places.iter().map(|p| p[axis]).fold(start, f);
        let start = [0, 1].map(|axis| of(axis, f64::min, f64::INFINITY));
        let end = [0, 1].map(|axis| of(axis, f64::max, f64::NEG_INFINITY));
        let side = (corners.len() as f64).sqrt().clamp(1.0, MOST_CELLS).ceil();
        let mut index = Self {
            start,
            scale: [0, 1].map(|axis| side / (end[axis] - start[axis])),
            cells: [side as usize; 2],
            triangles: vec![Vec::new(); (side * side) as usize],
        };
        for (t, own) in corners.iter().enumerate() {
            let all = own.map(|n| index.cell(places[n]));
            let range = |axis: usize| {
                let of = |f: fn(usize, usize) -> usize| all.iter().map(|c| c[axis]).reduce(f).unwrap_or(0);
                of(usize::min)..of(usize::max) + 1
            };
            for y in range(1) {
                for x in range(0) {
                    index.triangles[y * index.cells[0] + x].push(t);
                }
            }
        }
        index
    }

    /// The cell of a place; beyond the grid, the nearest one.
    fn cell(&self, p: Place) -> [usize; 2] {
        [0, 1].map(|axis| (((p[axis] - self.start[axis]) * self.scale[axis]) as usize).min(self.cells[axis] - 1))
    }

    fn near(&self, p: Place) -> &[usize] {
        let [x, y] = self.cell(p);
        &self.triangles[y * self.cells[0] + x]
    }
}
