#!/usr/bin/env python3
"""What a request costs in user space: `make bench-account`, needs valgrind and objdump.

Runs the C servers and this library's under callgrind, each twice with different numbers of requests.
The difference, for one request: instructions by object file, atomic read-modify-write instructions (lock
prefixes, and exchanges with memory), calls of the allocator, of mutexes of C, and of memcpy. Then under
lackey, which tells each access to memory: how many cache lines a request touches, of instructions and of
data. None of it depends on what else the machine does.

    account.py [OPERATION]...               all of OPERATIONS by default; the client's names
    account.py --functions [OPERATION]...   also the instructions by function
"""

import collections
import itertools
import os
import re
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
OUTPUT = os.path.realpath(os.path.join(HERE, '../../target/bench'))
RELEASE = os.path.join(OUTPUT, 'build/release')
SERVERS = {
    'c': [os.path.join(OUTPUT, 'c-null'), 'MOUNTPOINT', 'single'],
    # glibc leaves out what a process with one thread does not need, so this one is there, too.
    'c-mt': [os.path.join(OUTPUT, 'c-null'), 'MOUNTPOINT', 'mt'],
    'ours-1': [os.path.join(RELEASE, 'bench-ours'), 'MOUNTPOINT', '1'],
}
OPERATIONS = ['getattr', 'lookup', 'read-128k', 'write-128k']
FEW, MANY = 200, 1200
# Under lackey; the half of them in the middle is looked at.
TRACED = 200
# Cache lines of 64 bytes: what an address is shifted by.
LINE = 6

ALLOCATES = {'malloc', 'calloc', 'realloc', 'posix_memalign', 'aligned_alloc', 'memalign'}
LOCKS = {'pthread_mutex_lock', 'pthread_mutex_trylock'}
# glibc has one for each kind of processor: __memcpy_avx_unaligned_erms and so on.
COPIES = re.compile('(__)?mem(cpy|move)')


def is_mounted(mountpoint):
    with open('/proc/self/mountinfo') as mounts:
        return any(line.split()[4] == mountpoint for line in mounts)


def callgrind(server, operation, count):
    """Serves so many operations; the path of the report."""
    report = os.path.join(OUTPUT, f'callgrind.{server}.{operation}.{count}')
    run(server, operation, count, [
        '--tool=callgrind', '--dump-instr=yes', '--compress-strings=no', '--compress-pos=no',
        f'--callgrind-out-file={report}',
    ])
    return report


def lackey(server, operation, count):
    """Serves so many operations; all accesses to memory as (kind, address, size), in order."""
    trace = os.path.join(OUTPUT, 'lackey.trace')
    run(server, operation, count, ['--tool=lackey', '--trace-mem=yes', f'--log-file={trace}'])
    accesses = []
    with open(trace) as lines:
        for line in lines:
            # "I  0401ab70,3", " S 1fff000608,8"; L is a load, M a load and a store.
            if line[0] in 'I ':
                address, size = line[3:].split(',')
                accesses.append((line[:2].strip(), int(address, 16), int(size)))
    os.unlink(trace)
    return accesses


def run(server, operation, count, tool):
    """Serves so many operations under a tool of valgrind's."""
    mountpoint = os.path.join(OUTPUT, 'mnt/account')
    os.makedirs(mountpoint, exist_ok=True)
    command = [mountpoint if word == 'MOUNTPOINT' else word for word in SERVERS[server]]
    process = subprocess.Popen(['valgrind', '--quiet', *tool, *command])
    try:
        deadline = time.monotonic() + 30
        while not is_mounted(mountpoint):
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f'{server} does not mount')
            time.sleep(0.05)
        client = [os.path.join(RELEASE, 'bench-client'), mountpoint, operation, '1', 'times', str(count)]
        subprocess.run(client, check=True, stdout=subprocess.DEVNULL, timeout=120)
    finally:
        if is_mounted(mountpoint):
            subprocess.run(['umount', mountpoint], check=False)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            sys.exit(f'{server} does not end')
        os.rmdir(mountpoint)


def plain(function):
    """A function's name without version and without callgrind's number for recursion."""
    return re.split("[@']", function)[0]


def parse(report):
    """Executions of each instruction, as (object, function, address), and calls of each function."""
    executed, calls = collections.Counter(), collections.Counter()
    binary = function = callee = None
    inclusive = False
    with open(report) as lines:
        for line in lines:
            if line.startswith('ob='):
                binary = line[3:].strip()
            elif line.startswith('fn='):
                function = plain(line[3:].strip())
            elif line.startswith('cfn='):
                callee = plain(line[4:].strip())
            elif line.startswith('calls='):
                calls[callee] += int(line[6:].split()[0])
                inclusive = True
            elif line.startswith('0x'):
                # The line behind "calls=" has what the callee has cost.
                if not inclusive:
                    address, _line, count = line.split()[:3]
                    executed[binary, function, int(address, 16)] += int(count)
                inclusive = False
    return executed, calls


ATOMIC = {}


def atomic_instructions(binary):
    """Addresses of the instructions that lock the bus, or the cache line."""
    if binary not in ATOMIC:
        found = set()
        if os.path.exists(binary):
            text = subprocess.run(['objdump', '-d', '--no-show-raw-insn', binary],
                                  check=True, capture_output=True, text=True).stdout
            for match in re.finditer(r'^\s*([0-9a-f]+):\s+(lock |xchg\s+\S*\()', text, re.M):
                found.add(int(match[1], 16))
            for match in re.finditer(r'^\s*([0-9a-f]+):\s+xchg\s+%\w+,\S*\(', text, re.M):
                found.add(int(match[1], 16))
        ATOMIC[binary] = found
    return ATOMIC[binary]


def account(server, operation):
    """What one more operation costs, by name."""
    few = parse(callgrind(server, operation, FEW))
    many = parse(callgrind(server, operation, MANY))
    executed = many[0].copy()
    executed.subtract(few[0])
    calls = many[1].copy()
    calls.subtract(few[1])
    costs, functions = collections.Counter(), collections.Counter()
    for (binary, function, address), count in executed.items():
        name = re.split(r'\.so|\.\d', os.path.basename(binary))[0]
        name = 'the server' if binary == SERVERS[server][0] else name
        costs['instructions'] += count
        costs[f'- in {name}'] += count
        functions[name, function] += count
        if address in atomic_instructions(binary):
            costs['atomic instructions'] += count
            costs[f'- atomic in {name}'] += count
    costs['allocations'] = sum(calls[function] for function in ALLOCATES)
    costs['mutexes locked'] = sum(calls[function] for function in LOCKS)
    costs['copies by memcpy'] = sum(count for name, count in calls.items() if COPIES.match(name))
    one = 1 / (MANY - FEW)
    return scaled(costs, one) | cache_lines(server, operation), scaled(functions, one)


def cache_lines(server, operation):
    """Different cache lines that an operation touches in user space, on average."""
    accesses = lackey(server, operation, TRACED)
    executed = collections.Counter(address for kind, address, _ in accesses if kind == 'I')
    # Of the instructions that were executed so often, and some times more at the start and the end, loops of
    # the start are close together. What is never so is executed once for each operation, and begins one.
    places = collections.defaultdict(list)
    for index, (kind, address, _) in enumerate(accesses):
        if kind == 'I' and TRACED <= executed[address] < TRACED * 1.5:
            places[address].append(index)
    halves = (indexes[len(indexes) // 4:len(indexes) * 3 // 4 + 1] for indexes in places.values())
    begins = max(halves, key=lambda half: min(b - a for a, b in itertools.pairwise(half)))
    touched = collections.Counter()
    for begin, end in itertools.pairwise(begins):
        lines = collections.defaultdict(set)
        for kind, address, size in accesses[begin:end]:
            span = range(address >> LINE, (address + size - 1 >> LINE) + 1)
            lines['of instructions' if kind == 'I' else 'of data'].update(span)
            if kind in 'SM':
                lines['written'].update(span)
        touched.update({f'- {name}': len(which) for name, which in lines.items()})
        touched['cache lines touched'] += sum(len(lines[name]) for name in lines if name != 'written')
    return scaled(touched, 1 / (len(begins) - 1))


def scaled(counter, factor):
    return {name: count * factor for name, count in counter.items()}


ORDER = ['instructions', '- in ', 'atomic', '- atomic', 'allocations', 'mutexes', 'copies', 'cache', '- of', '- written']


def place(name):
    return next(index for index, title in enumerate(ORDER) if name.startswith(title))


def main():
    words = [word for word in sys.argv[1:] if word != '--functions']
    for operation in words or OPERATIONS:
        columns = {server: account(server, operation) for server in SERVERS}
        names = {name for costs, _ in columns.values() for name in costs}
        print(f'\n| {"one " + operation:22} |' + ''.join(f' {server:>8} |' for server in columns))
        print('|' + '-' * 24 + '|' + '---------:|' * len(columns))
        for name in sorted(names, key=lambda name: (place(name), name)):
            values = [costs.get(name, 0) for costs, _ in columns.values()]
            if any(value >= 0.05 for value in values):
                print(f'| {name:22} |' + ''.join(f' {value:8.1f} |' for value in values))
        if len(words) < len(sys.argv[1:]):
            for server, (_, functions) in columns.items():
                print(f'\n{server}:')
                for (binary, function), count in sorted(functions.items(), key=lambda item: -item[1]):
                    if count >= 5:
                        print(f'{count:8.1f}  {binary}: {function}')

main()
