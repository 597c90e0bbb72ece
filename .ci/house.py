#!/usr/bin/env python3
"""The rules of the house that neither the compiler nor clippy knows: prints each place that breaks one, and fails."""

import json
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# The files that may contain unsafe code: each is a place to review.
UNSAFE = """
    crates/offproc-core/src/fuzzing/worker_stream.rs
    crates/offproc-core/src/job/code/tests.rs
    crates/offproc-core/src/job/codec/numbers.rs
    crates/offproc-core/src/job/trampoline.rs
    crates/offproc-core/src/job/trampoline/chunk.rs
    crates/offproc-core/src/parent/launch/forking/none.rs
    crates/offproc-core/src/parent/launch/forking/program.rs
    crates/offproc-core/src/parent/worker_type.rs
    crates/offproc-core/src/sys/backtrace.rs
    crates/offproc-core/src/sys/environment.rs
    crates/offproc-core/src/sys/faults.rs
    crates/offproc-core/src/sys/fork.rs
    crates/offproc-core/src/sys/fork_registry.rs
    crates/offproc-core/src/sys/fork_server/portable.rs
    crates/offproc-core/src/sys/image/elf/tests.rs
    crates/offproc-core/src/sys/image/loaded.rs
    crates/offproc-core/src/sys/image/macho.rs
    crates/offproc-core/src/sys/interrupt/signals.rs
    crates/offproc-core/src/sys/memory/file_size_limit.rs
    crates/offproc-core/src/sys/memory/heap.rs
    crates/offproc-core/src/sys/process/ends/kqueue.rs
    crates/offproc-core/src/sys/process/portable.rs
    crates/offproc-core/src/sys/random.rs
    crates/offproc-core/src/sys/ring_memory.rs
    crates/offproc-core/src/sys/sealed.rs
    crates/offproc-core/src/sys/shared_memory.rs
    crates/offproc-core/src/sys/spawn.rs
    crates/offproc-core/src/sys/spawn/direct.rs
    crates/offproc-core/src/sys/stdio/bsd.rs
    crates/offproc-core/src/sys/stdio/linux.rs
    crates/offproc-core/src/sys/syscall.rs
    crates/offproc-core/src/sys/syscall/apple.rs
    crates/offproc-core/src/sys/syscall/bsd.rs
    crates/offproc-core/src/sys/syscall/freebsd.rs
    crates/offproc-core/src/sys/syscall/linux.rs
    crates/offproc-core/src/sys/win32/console.rs
    crates/offproc-core/src/sys/win32/create.rs
    crates/offproc-core/src/sys/win32/handle.rs
    crates/offproc-core/src/sys/win32/image.rs
    crates/offproc-core/src/sys/win32/job.rs
    crates/offproc-core/src/sys/win32/pipe.rs
    crates/offproc-core/src/sys/win32/process.rs
    crates/offproc-core/src/sys/win32/socket.rs
    crates/offproc-core/src/sys/win32/this.rs
    crates/offproc-core/src/wire/shm/slot/tests.rs
    crates/offproc-core/src/wire/writer.rs
    crates/offproc-core/src/worker/abort_panic.rs
    crates/offproc-core/src/worker/constructor.rs
    crates/offproc-core/src/worker/constructor/macho.rs
    crates/offproc-core/src/worker/constructor/pe.rs
    crates/offproc-core/src/worker/job_loop.rs
""".split()

# Which folders of the core may use which, and the files that are used from elsewhere all the same. The files at the top
# of the crate (role.rs, sync.rs, wait_list.rs) use no folder.
CORE = "crates/offproc-core/src"
KNOWS = {
    "sys": ["error/context.rs", "wire/shm/", "wire/items/", "wire/writer.rs"],
    "settings": [
        "error/", "sys/", "job/codec.rs", "job/trampoline.rs", "job/function.rs", "job/state.rs", "wire/frame.rs",
        "wire/writer.rs",
    ],
    "error": ["sys/"],
    "wire": ["sys/", "settings/mod.rs", "job/codec.rs", "job/trampoline.rs"],
    "job": ["error/", "sys/", "wire/"],
    # A worker that ends empties the outboxes of its item channels.
    "worker": ["error/", "sys/", "wire/", "job/", "settings/", "items/socket/outbox.rs"],
    # An end of an item channel waits in either process.
    "items": [
        "error/", "sys/", "wire/", "job/",
        "parent/background.rs", "parent/channel/registered.rs", "parent/lookout.rs", "parent/runtime.rs",
        "parent/wait/mod.rs",
    ],
    # A fork of the program enters the worker's code.
    "parent": ["error/", "sys/", "wire/", "job/", "settings/", "worker/forking/mod.rs", "worker/abort_panic.rs"],
}

# What the core decides by the system is in this table; elsewhere at most so many `cfg`s name one.
TABLE = f"{CORE}/sys/mod.rs"
MOST_SYSTEM_CFGS = 10

LONGEST_FILE = 400
LONGEST_LINE = 120


def tracked(*patterns):
    listed = subprocess.run(["git", "ls-files", "-z", "--", *patterns], cwd=ROOT, check=True, capture_output=True)
    paths = [Path(name) for name in listed.stdout.decode().split("\0") if name]
    # A file may have been removed and the removal not yet committed.
    return [path for path in paths if (ROOT / path).is_file()]


def text(path):
    return (ROOT / path).read_text(encoding="utf-8")


def is_test(path):
    return path.parts[0] == "crates" and "tests" in path.parts or path.name == "tests.rs"


def sources():
    """The published crates' Rust files."""
    return [path for path in tracked("crates/*/src/*.rs")]


def code_lines(path):
    """The lines with comments blanked out, and without a `mod tests` that ends the file."""
    lines = []
    for number, line in enumerate(text(path).splitlines(), 1):
        stripped = line.strip()
        if re.match(r"(pub(\(\w+\))? )?mod tests \{", stripped):
            break
        lines.append((number, "" if stripped.startswith("//") else line))
    return lines


# ---- The rules: each yields a line for each place that breaks it


def errors_with_a_type():
    """No function returns `Result<_, String>`, tests apart."""
    for path in sources():
        if is_test(path):
            continue
        for number, line in code_lines(path):
            if re.search(r"Result<.*,\s*String>", line):
                yield f"{path}:{number}"


def short_files():
    """No file is longer than 400 lines."""
    for path in sources():
        length = len(text(path).splitlines())
        if length > LONGEST_FILE:
            yield f"{path}: {length} lines"


def unsafe_in_known_files():
    """Unsafe code is in the files listed here, and nowhere else."""
    for path in sources():
        if str(path) not in UNSAFE:
            for number, line in code_lines(path):
                if re.search(r"\ballow\(.*unsafe_code|\bunsafe\s*(\{|fn|impl|extern)", line):
                    yield f"{path}:{number}"
    for name in UNSAFE:
        if not (ROOT / name).is_file() or not re.search(r"\bunsafe\b", text(name)):
            yield f"{name}: has no unsafe code, and is listed"


def short_lines():
    """Lines of documents, comments and code have at most 120 characters. A table's row cannot be broken."""
    for path in tracked("*.md", "*.rs", "*.sh", "*.py", ".ci/run"):
        # Made by benches/report.py, from measurements.
        if path.name == "benchmarks.md":
            continue
        for number, line in enumerate(text(path).splitlines(), 1):
            is_row = re.match(r"\s*(//[/!]\s*)?\|", line)
            is_link = re.match(r"\s*(//[/!]\s*)?\[[^]]+\]: \S+$", line)
            if len(line) > LONGEST_LINE and not is_row and not is_link:
                yield f"{path}:{number}: {len(line)} characters"


# Words that hide who does what.
RIDDLES = re.compile(
    r"\b(nobody|somebody|anybody|whoever|whomever)\b|\b(is|are|was|were|be|been) told\b|\btells? of\b"
    r"|\bin vain\b|\bfor want of\b|\bby whatever\b|\bothers compute\b",
    re.IGNORECASE,
)
# Names that docs/glossary.md has replaced.
FORMER_NAMES = re.compile(
    r"\b([Bb]ooks|[Kk]eeper|[Cc]rew|[Ee]rrands?|entrust\w*|[Ww]itness|testify|convict|offence|hang_up|Turns"
    r"|Greeted|last_words|Retiree|Retiring|excused|is_to_blame|is_ours|ServeExit|[Vv]erdict|see_through|check_off"
    r"|set_aside|[Ll]oan)\b"
)


def plain_words():
    """No riddles ("nobody", "is told", "in vain"): the subject of a sentence acts, by its name in docs/glossary.md."""
    for path in tracked("*.md", "*.rs", "*.sh", "*.py", "*.toml", "*.yml", ".ci/run"):
        # This file and the glossary name them; `nobody` is also a user of the system.
        if path.name in ("house.py", "glossary.md"):
            continue
        for number, line in enumerate(text(path).splitlines(), 1):
            line = line.replace("/bin/sh nobody", "").replace("NOBODY", "")
            if RIDDLES.search(line):
                yield f"{path}:{number}: {RIDDLES.search(line)[0]}"


def no_former_names():
    """No name in `crates/` that docs/glossary.md has replaced."""
    for path in tracked("crates/*.rs"):
        for number, line in enumerate(text(path).splitlines(), 1):
            if FORMER_NAMES.search(line):
                yield f"{path}:{number}: {FORMER_NAMES.search(line)[0]}"


def no_paths_of_a_machine():
    """No path of a machine that the project was made on."""
    for path in tracked():
        if path.suffix in (".hex", ".png", ".lock"):
            continue
        for number, line in enumerate(text(path).splitlines(), 1):
            if re.search(r"(^|[\s\"'`(=:])/(home|root|Users|work|mnt|opt)/\w", line):
                yield f"{path}:{number}"


def no_circular_imports():
    """No files of a crate import each other, directly or in a circle, on any system."""
    found = set()
    for root in tracked("crates/*/src/lib.rs", "benches/benches/*/main.rs", "*/main.rs"):
        for system in SYSTEMS:
            found.update(tuple(sorted(group)) for group in circles(imports(root, system)))
    for group in sorted(found):
        yield f"{len(group)} files: " + ", ".join(group)


def folders_in_order():
    """Each folder of the core uses only the folders and files that `KNOWS` lists for it."""
    found = set()
    for system in SYSTEMS:
        for path, used in imports(Path(CORE) / "lib.rs", system).items():
            folder, _, rest = path.removeprefix(f"{CORE}/").partition("/")
            known = KNOWS.get(folder, []) if rest else []
            for other in used:
                other_folder, _, rest_of_other = other.removeprefix(f"{CORE}/").partition("/")
                is_free = folder in ("lib.rs", "fuzzing") or folder == other_folder or not rest_of_other
                if not is_free and not other.removeprefix(f"{CORE}/").startswith(tuple(known)):
                    found.add(f"{path} uses {other}")
    yield from sorted(found)


def systems_in_one_table():
    """What depends on the system is in the table of `sys/mod.rs`: elsewhere in the core few `cfg`s name one."""
    named = re.compile(r"\bcfg(_attr)?!?\(.*" + SYSTEM.pattern)
    places = [
        f"{path}:{number}"
        for path in tracked(f"{CORE}/*.rs")
        if str(path) != TABLE
        for number, line in code_lines(path)
        if named.search(line)
    ]
    if len(places) > MOST_SYSTEM_CFGS:
        yield from places


def no_file_left_out():
    """Each Rust file is part of a program, library or test of the workspace, and so is built and run."""
    listed = subprocess.run(
        ["cargo", "metadata", "--no-deps", "--format-version", "1"], cwd=ROOT, check=True, capture_output=True
    )
    targets = [target for package in json.loads(listed.stdout)["packages"] for target in package["targets"]]
    roots = [Path(target["src_path"]).relative_to(ROOT) for target in targets]
    built, open_files = set(roots), [(root, True) for root in roots]
    while open_files:
        path, is_like_root = open_files.pop()
        default = path.with_suffix("") if not is_like_root and path.name != "mod.rs" else path.parent
        for name, module in declared_modules(path, is_like_root):
            if module not in built:
                built.add(module)
                open_files.append((module, module not in (default / f"{name}.rs", default / name / "mod.rs")))
    for path in tracked("*.rs"):
        if path not in built:
            yield f"{path}: in no target of a Cargo.toml, and no module"


# ---- Imports between files


# What names a system in a `cfg`, and what is true for each kind of them.
SYSTEM = re.compile(r"\b(unix|windows|target_(os|vendor|family)|offproc_portable)\b")
SYSTEMS = {
    "Linux": {"unix", 'target_os = "linux"', 'target_family = "unix"', 'target_env = "gnu"'},
    "Linux, portable": {"unix", 'target_os = "linux"', 'target_family = "unix"', "offproc_portable"},
    "macOS": {"unix", 'target_os = "macos"', 'target_vendor = "apple"', 'target_family = "unix"'},
    "FreeBSD": {"unix", 'target_os = "freebsd"', 'target_family = "unix"'},
    "Windows": {"windows", 'target_os = "windows"', 'target_family = "windows"'},
}


def holds(predicate, system):
    """Whether a predicate of a `cfg` may hold on a system."""
    predicate = predicate.strip()
    if not SYSTEM.search(predicate):
        return True
    operator, parenthesis, rest = predicate.partition("(")
    if parenthesis:
        operands = [holds(operand, system) for operand in split_at_commas(rest[: rest.rindex(")")])]
        return {"any": any, "all": all, "not": lambda them: not any(them)}[operator.strip()](operands)
    return predicate in SYSTEMS[system]


def split_at_commas(text):
    """What stands between the commas that are not in parentheses."""
    depth, start = 0, 0
    for at, character in enumerate(text + ","):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            if text[start:at].strip():
                yield text[start:at]
            start = at + 1


DECLARATION = re.compile(r"((?:#\[[^\n]+\]\s*)*)(?:pub(?:\([\w ]+\))? )?\bmod (\w+);")


def declared_modules(path, is_root, system=None):
    """The names and files that a file's `mod name;` stands for, on one system or on any; and its `include!(..)`."""
    folder = path.parent if is_root or path.name == "mod.rs" else path.with_suffix("")
    found = [("", path.parent / name) for name in re.findall(r'\binclude!\("([^"]+\.rs)"\)', text(path))]
    for attributes, name in DECLARATION.findall(text(path)):
        conditions = re.findall(r"#\[cfg\((.*)\)\]", attributes)
        if system and not all(holds(condition, system) for condition in conditions):
            continue
        paths = re.findall(r'#\[path = "([^"]+)"\]', attributes)
        for predicate, chosen in re.findall(r'#\[cfg_attr\((.*), path = "([^"]+)"\)\]', attributes):
            if not system or holds(predicate, system):
                paths.append(chosen)
        places = [path.parent / chosen for chosen in paths]
        if not paths or not system:
            places += [folder / f"{name}.rs", folder / name / "mod.rs"]
        found += [(name, place) for place in places]
    # A module that a path names has its own modules beside it, as a `mod.rs` has.
    return [(name, (ROOT / place).resolve().relative_to(ROOT)) for name, place in found if (ROOT / place).is_file()]


def modules(root, system):
    """The file of each module of a crate, without tests, by the module's path."""
    found, open_modules = {(): root}, [((), root, True)]
    while open_modules:
        module, path, is_like_root = open_modules.pop()
        default = path.with_suffix("") if not is_like_root and path.name != "mod.rs" else path.parent
        for name, child in declared_modules(path, is_like_root, system):
            if name and not is_test(child) and (module + (name,)) not in found:
                found[module + (name,)] = child
                is_at_default = child in (default / f"{name}.rs", default / name / "mod.rs")
                open_modules.append((module + (name,), child, not is_at_default))
    return found


def used_paths(tree, prefix=()):
    """The paths in a `use` tree, such as `crate::a::{b, c::d}`; `as` names are dropped."""
    tree = tree.strip()
    head, brace, rest = tree.partition("{")
    if not brace:
        yield prefix + tuple(re.sub(r"\s+as\s+\w+", "", tree).replace(" ", "").split("::"))
        return
    prefix += tuple(part for part in head.replace(" ", "").split("::") if part)
    depth, start, inside = 0, 0, rest[: rest.rindex("}")]
    for at, character in enumerate(inside + ","):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == "," and depth == 0:
            if inside[start:at].strip():
                yield from used_paths(inside[start:at], prefix)
            start = at + 1


def statements(path):
    """Each `use` of a file, as (is it a re-export, tree), and each path in its code from `crate`, `super` or `self`."""
    code = "\n".join(line for _, line in code_lines(path))
    for found in re.finditer(r"^\s*(pub(?:\([\w ]+\))? )?use ([^;]+);", code, re.M):
        yield bool(found[1]), found[2]
    code = re.sub(r"^\s*(pub(?:\([\w ]+\))? )?use [^;]+;", "", code, flags=re.M)
    for found in re.finditer(r"\b(crate|super|self)((?:::\w+)+)", code):
        yield False, found[0]


def absolute(module, path, known):
    """A path from the crate's root, or None where it leads to another crate."""
    head, rest = path[0], path[1:]
    if head == "crate":
        return rest
    if head == "self":
        return module + rest
    if head == "super":
        while head == "super":
            module, head, rest = module[:-1], rest[0] if rest else "", rest[1:]
        return module + ((head,) if head else ()) + rest
    # A child module by its bare name.
    return module + path if module + (head,) in known else None


def imports(root, system):
    """Which file of a crate imports which, re-exports followed to where the name comes from."""
    known = modules(root, system)
    edges, exports = defaultdict(set), {}
    for module, path in known.items():
        for is_export, tree in statements(path):
            for used in used_paths(tree):
                target = absolute(module, used, known)
                if target:
                    edges[module].add(target)
                if is_export:
                    # None: it comes from another crate.
                    exports[module + (used[-1],)] = target

    def file_of(target):
        while target and target not in known:
            if target in exports:
                target = exports[target]
            else:
                target = target[:-1]
        return known.get(target) if target is not None else None

    graph = defaultdict(set)
    for module, targets in edges.items():
        for target in targets:
            path = file_of(target)
            if path and path != known[module]:
                graph[str(known[module])].add(str(path))
    return graph


def circles(graph):
    """The strongly connected groups of more than one file, by Tarjan's algorithm."""
    index, low, stack, groups = {}, {}, [], []

    def visit(node):
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph.get(node, ())):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            group = []
            while not group or group[-1] != node:
                group.append(stack.pop())
            if len(group) > 1:
                groups.append(group)

    for node in sorted(graph):
        if node not in index:
            visit(node)
    return groups


RULES = [
    errors_with_a_type,
    short_files,
    unsafe_in_known_files,
    short_lines,
    plain_words,
    no_former_names,
    no_paths_of_a_machine,
    no_circular_imports,
    folders_in_order,
    systems_in_one_table,
    no_file_left_out,
]


def main():
    is_broken = False
    for rule in RULES:
        places = list(rule())
        print(f"{'FAILED' if places else 'ok':6} {rule.__name__}: {rule.__doc__}")
        for place in places:
            is_broken = True
            print(f"       {place}")
    sys.exit(1 if is_broken else 0)


if __name__ == "__main__":
    main()
