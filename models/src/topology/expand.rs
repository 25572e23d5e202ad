//! Blocks of a network file → layers: repetitions, sizes, names, references, shapes.

use std::collections::{BTreeMap, BTreeSet};

use toml::Spanned;
use tridot_sim::limits;
use tridot_sim::network::{Shape, TensorId};

use super::file::{Complete, Placed, checked_name, whole_number};
use super::raw::{BatchNormForm, RawBlock, RawLayer, RawRepeat, Size};
use super::{BatchNorm, Topology, TopologyLayer, operator};
use crate::Error;

/// The layers of a complete file, checked.
pub(super) fn topology(file: &Complete<'_>) -> Result<Topology, Error> {
    let mut builder = Builder {
        file,
        layers: Vec::new(),
        shapes: vec![file.input],
        places: vec!["input".to_owned()],
        names: BTreeSet::new(),
        total_elements: file.input.elements(),
        used_sizes: BTreeSet::new(),
    };
    for block in file.body.blocks {
        builder.block(block)?;
    }
    builder.everything_is_used()?;
    let output = builder.shapes[builder.layers.len()];
    if output.elements() != file.classes.value {
        let limit = format!("{}, the elements of the last tensor", output.elements());
        return Err(Error::limit(&file.classes.place, "classes", limit, file.classes.value));
    }
    Ok(Topology {
        name: file.name.clone(),
        input: file.input,
        classes: file.classes.value,
        normalization: file.normalization.clone(),
        naming: file.naming,
        layers: builder.layers,
    })
}

/// Checks the number of elements of a tensor and returns it.
pub(super) fn elements(place: &str, shape: Shape) -> Result<usize, Error> {
    let elements = shape.height.saturating_mul(shape.width).saturating_mul(shape.channels);
    if limits::MAX_TENSOR_ELEMENTS < elements {
        let what = format!("the number of elements of the {shape} tensor");
        let limit = format!("at most {}", limits::MAX_TENSOR_ELEMENTS);
        return Err(Error::limit(place, what, limit, elements));
    }
    Ok(elements)
}

struct Builder<'a> {
    file: &'a Complete<'a>,
    layers: Vec<TopologyLayer>,
    /// Of every tensor, by id.
    shapes: Vec<Shape>,
    /// Where the layer of each tensor stands, by id.
    places: Vec<String>,
    /// Of all layers and batch norms.
    names: BTreeSet<String>,
    total_elements: usize,
    used_sizes: BTreeSet<String>,
}

/// What a layer is resolved in: its place in the file, its block's sizes, its inputs.
pub(super) struct Scope<'a> {
    pub(super) file: &'a Complete<'a>,
    /// Line, column and full name.
    pub(super) place: String,
    pub(super) with: &'a BTreeMap<String, Spanned<Size>>,
    /// Shapes of the inputs.
    pub(super) inputs: Vec<Shape>,
    /// Shape of the block's input.
    pub(super) block_input: Shape,
    /// Names of the sizes read so far in this block, and in the file.
    pub(super) used: BTreeSet<String>,
}

impl Scope<'_> {
    /// The number behind a size, checked. What `with` names is looked up in the file's sizes.
    pub(super) fn number(
        &mut self,
        size: &Size,
        what: &str,
        least: usize,
        most: usize,
    ) -> Result<usize, Error> {
        let (size, what) = match size {
            Size::Named(name) => {
                let given = self.with.get(name);
                if given.is_some() {
                    self.used.insert(name.clone());
                }
                (given.map_or(size, Spanned::get_ref), format!("{what} (`{name}`)"))
            }
            Size::Number(_) => (size, what.to_owned()),
        };
        let value = match size {
            Size::Number(value) => return whole_number(&self.place, &what, *value, least, most),
            Size::Named(name) if name == "classes" => self.file.classes.value,
            Size::Named(name) => {
                let Some(size) = self.file.sizes.get(name) else {
                    return Err(self.no_such_size(&what, name));
                };
                self.used.insert(name.clone());
                size.value
            }
        };
        if (least..=most).contains(&value) {
            return Ok(value);
        }
        Err(Error::limit(&self.place, what, format!("between {least} and {most}"), value))
    }

    fn no_such_size(&self, what: &str, name: &str) -> Error {
        let names = self.with.keys().chain(self.file.sizes.keys()).map(String::as_str);
        let known = names.chain(["classes"]).collect::<Vec<_>>().join(", ");
        let reason = format!("{what}: no size is named `{name}`; there is {known}");
        Error::malformed(&self.place, reason)
    }
}

impl<'a> Builder<'a> {
    fn block(&mut self, block: &'a Spanned<RawBlock>) -> Result<(), Error> {
        let place = self.file.body.source.place(block.span());
        let raw = block.get_ref();
        let layers = self.layers_of(&place, raw)?;
        for name in raw.with.keys() {
            if name == "classes" || self.file.sizes.contains_key(name) {
                let reason = format!("`with` gives `{name}`, which the whole file has already");
                return Err(Error::malformed(place, reason));
            }
        }
        let prefix = raw.name.as_deref().unwrap_or_default();
        let mut used = BTreeSet::new();
        let counts = match &raw.repeat {
            None => 0..1,
            Some(repeat) => self.repetitions(&place, repeat, &raw.with, &mut used)?,
        };
        if prefix.contains("{i}") != raw.repeat.is_some() {
            let reason = "a block's name contains `{i}` if and only if it has `repeat`";
            return Err(Error::malformed(place, reason));
        }
        let repeats = !counts.is_empty();
        for i in counts {
            self.instance(&prefix.replace("{i}", &i.to_string()), layers, &raw.with, &mut used)?;
        }
        match raw.with.iter().find(|(name, _)| repeats && !used.contains(*name)) {
            None => {}
            Some((name, given)) => {
                let place = self.file.body.source.place(given.span());
                return Err(Error::malformed(
                    place,
                    format!("no layer of the block reads size `{name}`"),
                ));
            }
        }
        self.used_sizes.append(&mut used);
        Ok(())
    }

    /// The block's own layers, or its template's.
    fn layers_of(&self, place: &str, raw: &'a RawBlock) -> Result<&'a [Spanned<RawLayer>], Error> {
        let layers = match (&raw.layers, &raw.template) {
            (Some(layers), None) => layers,
            (None, Some(name)) => {
                let template = self.file.body.templates.get(name.get_ref());
                let missing = || {
                    let place = self.file.body.source.place(name.span());
                    let reason = format!("no template is named `{}`", name.get_ref());
                    Error::malformed(place, reason)
                };
                &template.ok_or_else(missing)?.layers
            }
            (None, None) | (Some(_), Some(_)) => {
                let reason = "a block has either `layers` or a `template`";
                return Err(Error::malformed(place, reason));
            }
        };
        if layers.is_empty() {
            return Err(Error::malformed(place, "a block without layers"));
        }
        Ok(layers)
    }

    fn repetitions(
        &self,
        place: &str,
        repeat: &RawRepeat,
        with: &'a BTreeMap<String, Spanned<Size>>,
        used: &mut BTreeSet<String>,
    ) -> Result<std::ops::Range<usize>, Error> {
        let mut scope = self.scope(place.to_owned(), with, Vec::new(), TensorId::INPUT);
        let from = scope.number(&repeat.from, "`from`", 0, limits::MAX_LAYERS)?;
        // One below `from` repeats nothing: the shortest member of a family may need that.
        let to = scope.number(&repeat.to, "`to`", from.saturating_sub(1), limits::MAX_LAYERS)?;
        used.append(&mut scope.used);
        Ok(from..to + 1)
    }

    fn scope(
        &self,
        place: String,
        with: &'a BTreeMap<String, Spanned<Size>>,
        inputs: Vec<Shape>,
        block_input: TensorId,
    ) -> Scope<'a> {
        let block_input = self.shapes[block_input.0];
        Scope { file: self.file, place, with, inputs, block_input, used: BTreeSet::new() }
    }

    /// One repetition of a block.
    fn instance(
        &mut self,
        prefix: &str,
        layers: &'a [Spanned<RawLayer>],
        with: &'a BTreeMap<String, Spanned<Size>>,
        used: &mut BTreeSet<String>,
    ) -> Result<(), Error> {
        let block_input = TensorId(self.layers.len());
        let mut local = BTreeMap::from([("input", block_input)]);
        for layer in layers {
            let raw = layer.get_ref();
            let place = self.file.body.source.place(layer.span());
            let name = self.new_name(&place, prefix, &raw.name)?;
            let place = format!("{place}, layer `{name}`");
            if self.layers.len() == limits::MAX_LAYERS {
                let limit = format!("at most {}", limits::MAX_LAYERS);
                return Err(Error::limit(
                    place,
                    "the number of layers",
                    limit,
                    limits::MAX_LAYERS + 1,
                ));
            }
            let inputs = self.references(raw, &local, &place)?;
            let shapes = inputs.iter().map(|id| self.shapes[id.0]).collect();
            let mut scope = self.scope(place, with, shapes, block_input);
            let norm = self.batch_norm(raw, prefix, &scope.place)?;
            let (operator, shape) = operator::resolve(raw, &mut scope, norm)?;
            used.append(&mut scope.used);
            self.total_elements += elements(&scope.place, shape)?;
            if limits::MAX_NETWORK_ELEMENTS < self.total_elements {
                let limit = format!("at most {}", limits::MAX_NETWORK_ELEMENTS);
                let what = "the elements of all tensors so far";
                return Err(Error::limit(scope.place, what, limit, self.total_elements));
            }
            self.layers.push(TopologyLayer { name, inputs, operator, shape });
            self.shapes.push(shape);
            self.places.push(scope.place);
            if local.insert(&raw.name, TensorId(self.layers.len())).is_some() {
                let place = &self.places[self.layers.len()];
                return Err(Error::malformed(place, "`input` is the name of the block's input"));
            }
        }
        Ok(())
    }

    /// The full name of a layer or batch norm, not taken so far.
    fn new_name(&mut self, place: &str, prefix: &str, name: &str) -> Result<String, Error> {
        let full = if prefix.is_empty() || name.is_empty() {
            name.to_owned()
        } else {
            format!("{prefix}.{name}")
        };
        let full = checked_name(place, &full)?;
        if !self.names.insert(full.clone()) {
            return Err(Error::malformed(place, format!("the name `{full}` is taken")));
        }
        Ok(full)
    }

    /// Ids of the inputs: those named, or the tensor before.
    fn references(
        &self,
        raw: &RawLayer,
        local: &BTreeMap<&str, TensorId>,
        place: &str,
    ) -> Result<Vec<TensorId>, Error> {
        let Some(names) = &raw.inputs else { return Ok(vec![TensorId(self.layers.len())]) };
        let find = |name: &Spanned<String>| {
            local.get(name.get_ref().as_str()).copied().ok_or_else(|| {
                let reason = format!(
                    "input `{}` is no earlier layer of the block, nor `input`",
                    name.get_ref()
                );
                Error::malformed(place, reason)
            })
        };
        names.iter().map(find).collect()
    }

    /// The batch norm after a layer, unless checkpoints have it folded.
    fn batch_norm(
        &mut self,
        raw: &RawLayer,
        prefix: &str,
        place: &str,
    ) -> Result<Option<BatchNorm>, Error> {
        let Some(norm) = &raw.norm else { return Ok(None) };
        let name = self.new_name(place, prefix, norm.get_ref())?;
        if self.file.batch_norm == BatchNormForm::Folded {
            return Ok(None);
        }
        let Some(epsilon) = self.file.epsilon else {
            return Err(Error::malformed(place, "batch norm needs the file's `epsilon`"));
        };
        Ok(Some(BatchNorm { name, epsilon }))
    }

    /// Refuses tensors, sizes and templates that nothing reads: they are slips.
    fn everything_is_used(&self) -> Result<(), Error> {
        let read: BTreeSet<_> = self.layers.iter().flat_map(|layer| &layer.inputs).collect();
        if let Some(id) = (0..self.layers.len()).find(|&id| !read.contains(&TensorId(id))) {
            return Err(Error::malformed(&self.places[id], "no layer reads its tensor"));
        }
        let unread = self.file.sizes.iter().find(|(name, _)| !self.used_sizes.contains(*name));
        if let Some((name, Placed { place, .. })) = unread {
            return Err(Error::malformed(place, format!("no layer reads size `{name}`")));
        }
        let blocks = self.file.body.blocks;
        let names: BTreeSet<_> =
            blocks.iter().filter_map(|block| block.get_ref().template.as_ref()).collect();
        let names: BTreeSet<_> = names.into_iter().map(Spanned::get_ref).collect();
        match self.file.body.templates.keys().find(|name| !names.contains(name)) {
            None => Ok(()),
            Some(name) => Err(Error::malformed(
                "line 1, column 1",
                format!("no block uses template `{name}`"),
            )),
        }
    }
}
