//! The part of Python's pickle language, protocol 2, that state dicts are written in.
//!
//! Nothing is ever called or imported: a pickle becomes a list of nodes that name one another. The
//! few functions that rebuild tensors are known by name and turned into descriptions; an object of
//! any other class becomes a node that knows nothing but its class, and is refused only where a
//! tensor is wanted. Each operation adds at most one node, and nodes are counted.

use std::collections::BTreeMap;

use super::super::one_line;
use crate::Error;

/// Bytes of a pickle.
const MAX_BYTES: usize = 1 << 24;
/// Nodes of a pickle; a tensor of a state dict needs about ten.
const MAX_NODES: usize = 1 << 20;
/// Axes of a tensor.
const MAX_AXES: usize = 8;

/// Names a node of one [`Pickle`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NodeId(u32);

/// A value.
#[derive(Debug, Clone)]
pub(super) enum Node<'a> {
    Integer(i64),
    Text(&'a str),
    Tuple(Vec<NodeId>),
    Dict(Vec<(NodeId, NodeId)>),
    Storage(Storage<'a>),
    Tensor(StridedView),
    /// A class or function.
    Global {
        module: &'a str,
        name: &'a str,
    },
    /// What a class or function of this name made.
    Object {
        module: &'a str,
        name: &'a str,
    },
    /// None, a truth value, a float, a list, an integer over 64 bits.
    Other(&'static str),
}

/// The elements of tensors: a record of the archive.
#[derive(Debug, Clone, Copy)]
pub(super) struct Storage<'a> {
    /// E.g. `FloatStorage`.
    pub(super) class: &'a str,
    /// Name of the record.
    pub(super) key: &'a str,
    /// In elements.
    pub(super) length: usize,
}

/// A tensor: some elements of a storage.
#[derive(Debug, Clone)]
pub(super) struct StridedView {
    /// Of a [`Node::Storage`].
    pub(super) storage: NodeId,
    /// The first element.
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    /// In elements, one an axis.
    pub(super) strides: Vec<usize>,
}

impl StridedView {
    /// The largest position in the storage, unless it overflows. No axis has length 0.
    pub(super) fn last(&self) -> Option<usize> {
        self.shape.iter().zip(&self.strides).try_fold(self.offset, |last, (length, stride)| {
            last.checked_add((length - 1).checked_mul(*stride)?)
        })
    }

    /// Whether the elements follow one another, last axis fastest. The shape has no overflow.
    pub(super) fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        self.shape.iter().zip(&self.strides).rev().all(|(&length, &stride)| {
            let fits = length == 1 || stride == expected;
            expected *= length;
            fits
        })
    }
}

/// A pickle that has been read.
pub(super) struct Pickle<'a> {
    nodes: Vec<Node<'a>>,
    root: NodeId,
}

impl<'a> Pickle<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        if MAX_BYTES < bytes.len() {
            let limit = format!("at most {MAX_BYTES} bytes");
            return Err(Error::limit("data.pkl", "length", limit, bytes.len()));
        }
        let mut machine = Machine {
            bytes,
            position: 0,
            nodes: Vec::new(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: BTreeMap::new(),
        };
        match machine.run() {
            Ok(root) => Ok(Self { nodes: machine.nodes, root }),
            Err(reason) => {
                Err(Error::malformed(format!("data.pkl: byte {}", machine.position), reason))
            }
        }
    }

    pub(super) fn root(&self) -> NodeId {
        self.root
    }

    pub(super) fn node(&self, id: NodeId) -> &Node<'a> {
        &self.nodes[id.0 as usize]
    }

    /// What a node is, for a message.
    pub(super) fn describe(&self, id: NodeId) -> String {
        match self.node(id) {
            Node::Integer(value) => format!("the integer {value}"),
            Node::Text(text) => format!("the text `{}`", one_line(text)),
            Node::Tuple(items) => format!("a tuple of {}", items.len()),
            Node::Dict(entries) => format!("a dictionary of {}", entries.len()),
            Node::Storage(_) => "a storage".to_owned(),
            Node::Tensor(_) => "a tensor".to_owned(),
            Node::Global { module, name } => {
                format!("the name {}", one_line(&format!("{module}.{name}")))
            }
            Node::Object { module, name } => {
                format!("an object made by {}", one_line(&format!("{module}.{name}")))
            }
            Node::Other(what) => (*what).to_owned(),
        }
    }
}

/// The state of reading: a stack of values, as the language defines.
struct Machine<'a> {
    bytes: &'a [u8],
    position: usize,
    nodes: Vec<Node<'a>>,
    stack: Vec<NodeId>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: BTreeMap<u32, NodeId>,
}

/// What is wrong at the current byte.
type Step<T> = Result<T, String>;

impl<'a> Machine<'a> {
    /// Reads to the end and gives the value that remains.
    fn run(&mut self) -> Step<NodeId> {
        loop {
            let opcode = self.byte()?;
            match opcode {
                b'.' => return self.pop(),
                0x80 => self.protocol()?,
                b'(' => self.marks.push(self.stack.len()),
                b'0' => drop(self.pop()?),
                b'1' => drop(self.pop_to_mark()?),
                b'2' => self.stack.push(self.top()?),
                b'q' | b'r' | b'h' | b'j' => self.memo_operation(opcode)?,
                b'a' | b'e' | b's' | b'u' | b'b' => self.change(opcode)?,
                b'R' | 0x81 => self.call()?,
                b'Q' => self.storage()?,
                b'}' => self.push(Node::Dict(Vec::new()))?,
                b']' => self.push(Node::Other("a list"))?,
                b')' | b't' | 0x85..=0x87 => self.tuple(opcode)?,
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    self.push(Node::Global { module, name })?;
                }
                _ => self.plain_value(opcode)?,
            }
        }
    }

    fn protocol(&mut self) -> Step<()> {
        match self.byte()? {
            2 => Ok(()),
            other => Err(format!("the pickle protocol must be 2, torch.save's own, got {other}")),
        }
    }

    fn plain_value(&mut self, opcode: u8) -> Step<()> {
        let node = match opcode {
            b'N' => Node::Other("None"),
            0x88 | 0x89 => Node::Other("a truth value"),
            b'J' => Node::Integer(i32::from_le_bytes(self.array()?).into()),
            b'K' => Node::Integer(self.byte()?.into()),
            b'M' => Node::Integer(u16::from_le_bytes(self.array()?).into()),
            0x8a => {
                let length = self.byte()?;
                long_integer(self.take(length.into())?)
            }
            0x8b => {
                let length = self.length()?;
                long_integer(self.take(length)?)
            }
            b'G' => {
                self.take(8)?;
                Node::Other("a float")
            }
            b'X' | b'T' => {
                let length = self.length()?;
                Node::Text(self.text(length)?)
            }
            b'U' => {
                let length = self.byte()?;
                Node::Text(self.text(length.into())?)
            }
            other => {
                let shown = char::from(other).escape_default();
                return Err(format!("operation {other:#04x} (`{shown}`) is none of a state dict"));
            }
        };
        self.push(node)
    }

    fn tuple(&mut self, opcode: u8) -> Step<()> {
        let items = match opcode {
            b')' => Vec::new(),
            b't' => self.pop_to_mark()?,
            _ => {
                let n = usize::from(opcode - 0x84);
                let first = self.floor().checked_add(n).filter(|&least| least <= self.stack.len());
                first.ok_or("the stack is empty")?;
                self.stack.split_off(self.stack.len() - n)
            }
        };
        self.push(Node::Tuple(items))
    }

    /// Puts the top of the stack into the memo, or gets a value from it.
    fn memo_operation(&mut self, opcode: u8) -> Step<()> {
        let index = match opcode {
            b'q' | b'h' => self.byte()?.into(),
            _ => u32::from_le_bytes(self.array()?),
        };
        if matches!(opcode, b'q' | b'r') {
            let top = self.top()?;
            self.memo.insert(index, top);
        } else {
            let value = self.memo.get(&index);
            self.stack.push(*value.ok_or_else(|| format!("nothing was stored as {index}"))?);
        }
        Ok(())
    }

    /// Adds items to the container below them. Only dictionaries keep them: nobody asks for the
    /// contents of lists, the state of objects or the attributes of dictionaries.
    fn change(&mut self, opcode: u8) -> Step<()> {
        let items = match opcode {
            b'a' | b'b' => vec![self.pop()?],
            b's' => {
                let value = self.pop()?;
                vec![self.pop()?, value]
            }
            _ => self.pop_to_mark()?,
        };
        let container = self.top()?;
        match (opcode, &mut self.nodes[container.0 as usize]) {
            (b's' | b'u', Node::Dict(entries)) => {
                if !items.len().is_multiple_of(2) {
                    return Err("a key without a value".to_owned());
                }
                entries.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1])));
            }
            (b'b', _) | (_, Node::Object { .. }) | (b'a' | b'e', Node::Other("a list")) => {}
            _ => return Err("items are added to a value that holds none".to_owned()),
        }
        Ok(())
    }

    /// What a function or class makes of its arguments, for the few that are known.
    fn call(&mut self) -> Step<()> {
        let (arguments, callee) = (self.pop()?, self.pop()?);
        let Node::Tuple(arguments) = self.node(arguments) else {
            return Err("a call without a tuple of arguments".to_owned());
        };
        // No more than is needed: a tuple may be long, and called with again and again.
        let (n_arguments, arguments) = (arguments.len(), first_four(arguments));
        let Node::Global { module, name } = *self.node(callee) else {
            return Err("a call of something that has no name".to_owned());
        };
        match (module, name) {
            ("collections", "OrderedDict") if n_arguments == 0 => self.push(Node::Dict(Vec::new())),
            ("torch._utils", "_rebuild_tensor_v2") => {
                let view = self.strided_view(arguments)?;
                self.push(Node::Tensor(view))
            }
            ("torch._utils", "_rebuild_parameter") => match arguments[0] {
                Some(tensor) if matches!(self.node(tensor), Node::Tensor(_)) => {
                    self.stack.push(tensor);
                    Ok(())
                }
                _ => Err("_rebuild_parameter without a tensor".to_owned()),
            },
            _ => self.push(Node::Object { module, name }),
        }
    }

    fn strided_view(&self, arguments: [Option<NodeId>; 4]) -> Step<StridedView> {
        let [Some(storage), Some(offset), Some(shape), Some(strides)] = arguments else {
            return Err(
                "_rebuild_tensor_v2 needs a storage, an offset, a shape, strides".to_owned()
            );
        };
        if !matches!(self.node(storage), Node::Storage(_)) {
            return Err("_rebuild_tensor_v2 without a storage".to_owned());
        }
        let offset = self.size(offset)?;
        let (shape, strides) = (self.sizes(shape)?, self.sizes(strides)?);
        if shape.len() != strides.len() {
            let (axes, strides) = (shape.len(), strides.len());
            return Err(format!(
                "a tensor must have a stride for each axis, got {strides} for {axes}"
            ));
        }
        Ok(StridedView { storage, offset, shape, strides })
    }

    /// A persistent id: `("storage", class, key, device, length)`.
    fn storage(&mut self) -> Step<()> {
        let id = self.pop()?;
        let wrong = || "a reference that is no storage".to_owned();
        let Node::Tuple(parts) = self.node(id) else { return Err(wrong()) };
        let [tag, class, key, _device, length] = parts[..] else { return Err(wrong()) };
        let (Node::Text("storage"), Node::Global { module, name: class }, Node::Text(key)) =
            (self.node(tag), self.node(class), self.node(key))
        else {
            return Err(wrong());
        };
        if !matches!(*module, "torch" | "torch.storage") {
            return Err(wrong());
        }
        let storage = Storage { class, key, length: self.size(length)? };
        self.push(Node::Storage(storage))
    }

    fn sizes(&self, id: NodeId) -> Step<Vec<usize>> {
        let Node::Tuple(items) = self.node(id) else {
            return Err("sizes that are no tuple".to_owned());
        };
        if MAX_AXES < items.len() {
            return Err(format!("a tensor must have at most {MAX_AXES} axes, got {}", items.len()));
        }
        items.iter().map(|&item| self.size(item)).collect()
    }

    fn size(&self, id: NodeId) -> Step<usize> {
        match self.node(id) {
            Node::Integer(value) => usize::try_from(*value)
                .map_err(|_| format!("a size must be 0 or more, got {value}")),
            _ => Err("a size that is no integer".to_owned()),
        }
    }

    fn node(&self, id: NodeId) -> &Node<'a> {
        &self.nodes[id.0 as usize]
    }

    fn push(&mut self, node: Node<'a>) -> Step<()> {
        if self.nodes.len() == MAX_NODES {
            return Err(format!("more than {MAX_NODES} values"));
        }
        let id = u32::try_from(self.nodes.len()).expect("below MAX_NODES");
        self.nodes.push(node);
        self.stack.push(NodeId(id));
        Ok(())
    }

    /// The height of the stack that the innermost mark protects.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Step<NodeId> {
        let above_mark = self.stack.get(self.floor()..).and_then(<[NodeId]>::last);
        above_mark.copied().ok_or_else(|| "the stack is empty".to_owned())
    }

    fn pop(&mut self) -> Step<NodeId> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_to_mark(&mut self) -> Step<Vec<NodeId>> {
        let mark = self.marks.pop().ok_or("there is no mark")?;
        Ok(self.stack.split_off(mark))
    }

    fn take(&mut self, n: usize) -> Step<&'a [u8]> {
        let taken = self.bytes[self.position..].get(..n);
        let taken = taken.ok_or_else(|| format!("cut off: {n} bytes wanted"))?;
        self.position += n;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Step<[u8; N]> {
        Ok(self.take(N)?.try_into().expect("N bytes were taken"))
    }

    fn byte(&mut self) -> Step<u8> {
        Ok(self.array::<1>()?[0])
    }

    fn length(&mut self) -> Step<usize> {
        let length = u32::from_le_bytes(self.array()?);
        Ok(length as usize)
    }

    fn text(&mut self, length: usize) -> Step<&'a str> {
        std::str::from_utf8(self.take(length)?).map_err(|error| format!("not UTF-8: {error}"))
    }

    fn line(&mut self) -> Step<&'a str> {
        let rest = &self.bytes[self.position..];
        let length = rest.iter().position(|&byte| byte == b'\n').ok_or("cut off within a name")?;
        let line = self.text(length)?;
        self.position += 1;
        Ok(line)
    }
}

fn first_four(items: &[NodeId]) -> [Option<NodeId>; 4] {
    std::array::from_fn(|idx| items.get(idx).copied())
}

/// A little-endian two's complement integer of any length.
fn long_integer<'a>(bytes: &[u8]) -> Node<'a> {
    if 8 < bytes.len() {
        return Node::Other("an integer over 64 bits");
    }
    let fill = if bytes.last().is_some_and(|&top| 0x80 <= top) { 0xff } else { 0 };
    let mut wide = [fill; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    Node::Integer(i64::from_le_bytes(wide))
}
