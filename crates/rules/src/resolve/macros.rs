//! Macros: names in a tree are replaced by the trees they stand for.

use std::rc::Rc;

use crate::condition::{Expr, Word};

/// Deepest tree after splicing.
pub const MAX_TREE_DEPTH: usize = 1000;

/// Most nodes of a tree after splicing; macros that multiply each other end here.
pub const MAX_TREE_NODES: usize = 500_000;

/// A tree with its measures.
#[derive(Clone, Debug)]
pub struct Tree {
    /// The tree.
    pub expr: Rc<Expr>,
    depth: usize,
    nodes: usize,
}

impl Tree {
    /// Measures a tree.
    pub fn new(expr: Expr) -> Self {
        let (depth, nodes) = measure(&expr);
        Self {
            expr: Rc::new(expr),
            depth,
            nodes,
        }
    }
}

fn measure(expr: &Expr) -> (usize, usize) {
    let parts = match expr {
        Expr::And(parts) | Expr::Or(parts) => parts.as_slice(),
        Expr::Not(inner) => std::slice::from_ref(&**inner),
        Expr::Check(_) | Expr::Macro(_) => &[],
    };
    parts
        .iter()
        .map(measure)
        .fold((1, 1), |(depth, nodes), (d, n)| {
            (depth.max(d + 1), nodes + n)
        })
}

/// Why a macro cannot be spliced in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// There is none of this name that can be seen.
    Undefined,
    /// The macro is not sound itself.
    Broken,
    /// The macro leads back to itself.
    Loop,
    /// The tree would grow past its bounds.
    TooLarge,
}

/// What a name stands for.
#[derive(Clone, Debug)]
pub enum Known {
    /// A tree without names.
    Resolved(Tree),
    /// A tree that may hold names (of a macro that comes later in the order, but was there before the last append).
    Raw(Tree),
    /// Nothing: the macro is not sound, and somebody was told.
    Broken,
}

/// Replaces every macro in `expr` with what `look_up` has for it; adds the names met to `used`, in order.
///
/// # Errors
/// The first name that cannot be replaced, and why.
pub fn splice(
    expr: &Expr,
    look_up: &dyn Fn(&str) -> Option<Known>,
    used: &mut Vec<String>,
) -> Result<Tree, (Word, Problem)> {
    let mut splicer = Splicer {
        look_up,
        used,
        nodes: 0,
        path: Vec::new(),
    };
    splicer.walk(expr, 1).map(Tree::new)
}

struct Splicer<'a> {
    look_up: &'a dyn Fn(&str) -> Option<Known>,
    used: &'a mut Vec<String>,
    nodes: usize,
    path: Vec<Box<str>>,
}

impl Splicer<'_> {
    fn walk(&mut self, expr: &Expr, depth: usize) -> Result<Expr, (Word, Problem)> {
        match expr {
            Expr::And(parts) => self.all(parts, depth).map(Expr::And),
            Expr::Or(parts) => self.all(parts, depth).map(Expr::Or),
            Expr::Not(inner) => self
                .walk(inner, depth + 1)
                .map(|inner| Expr::Not(Box::new(inner))),
            Expr::Check(check) => Ok(Expr::Check(check.clone())),
            Expr::Macro(name) => self.named(name, depth),
        }
    }

    fn all(&mut self, parts: &[Expr], depth: usize) -> Result<Vec<Expr>, (Word, Problem)> {
        parts
            .iter()
            .map(|part| self.walk(part, depth + 1))
            .collect()
    }

    fn named(&mut self, name: &Word, depth: usize) -> Result<Expr, (Word, Problem)> {
        let fail = |problem| Err((name.clone(), problem));
        let (tree, raw) = match (self.look_up)(&name.text) {
            Some(Known::Resolved(tree)) => (tree, false),
            Some(Known::Raw(tree)) => (tree, true),
            Some(Known::Broken) => return fail(Problem::Broken),
            None => return fail(Problem::Undefined),
        };
        self.nodes += tree.nodes;
        if depth + tree.depth > MAX_TREE_DEPTH || self.nodes > MAX_TREE_NODES {
            return fail(Problem::TooLarge);
        }
        self.used.push(name.text.to_string());
        if !raw {
            return Ok((*tree.expr).clone());
        }
        if self.path.contains(&name.text) {
            return fail(Problem::Loop);
        }
        self.path.push(name.text.clone());
        let expr = self.walk(&tree.expr, depth)?;
        self.path.pop();
        Ok(expr)
    }
}
