#!/usr/bin/env python3
"""What a request costs in user space: `make bench-account`, needs valgrind and objdump.

Runs the C servers and this library's under callgrind, each twice with different numbers of requests.
The difference, for one request: instructions by object file, atomic read-modify-write instructions (lock
prefixes, and exchanges with memory), calls of the allocator, of mutexes of C, and of memcpy. None of it
depends on what else the machine does.

    account.py [OPERATION]...               all of OPERATIONS by default; the client's names
    account.py --functions [OPERATION]...   also the instructions by function
"""

import collections
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

ALLOCATES = {'malloc', 'calloc', 'realloc', 'posix_memalign', 'aligned_alloc', 'memalign'}
LOCKS = {'pthread_mutex_lock', 'pthread_mutex_trylock'}
# glibc has one for each kind of processor: __memcpy_avx_unaligned_erms and so on.
COPIES = re.compile('(__)?mem(cpy|move)')


def is_mounted(mountpoint):
    with open('/proc/self/mountinfo') as mounts:
        return any(line.split()[4] == mountpoint for line in mounts)


def run(server, operation, count):
    """Serves so many operations under callgrind; the path of its report."""
    mountpoint = os.path.join(OUTPUT, 'mnt/account')
    report = os.path.join(OUTPUT, f'callgrind.{server}.{operation}.{count}')
    os.makedirs(mountpoint, exist_ok=True)
    command = [mountpoint if word == 'MOUNTPOINT' else word for word in SERVERS[server]]
    valgrind = [
        'valgrind', '--quiet', '--tool=callgrind', '--dump-instr=yes', '--compress-strings=no',
        '--compress-pos=no', f'--callgrind-out-file={report}',
    ]
    process = subprocess.Popen(valgrind + command)
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
    return report


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
    few = parse(run(server, operation, FEW))
    many = parse(run(server, operation, MANY))
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
    return scaled(costs, one), scaled(functions, one)


def scaled(counter, factor):
    return {name: count * factor for name, count in counter.items()}


ORDER = ['instructions', '- in', 'atomic', '- atomic', 'allocations', 'mutexes', 'copies']


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
