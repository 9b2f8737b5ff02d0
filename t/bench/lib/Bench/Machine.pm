package Bench::Machine;

# What of the machine matters for a benchmark: its cores and who runs on which,
# CPU time and memory of processes, memory of the kernel's sockets, and what to
# write beside the figures.  Knows nothing of what is measured.

use strict;
use warnings;

use Exporter 'import';
use POSIX ();

use CWMP::Daemon qw(project_root slurp);
use CWMP::Nginx;

our @EXPORT_OK = qw(cores on_core cpu_us waited_us memory socket_memory available
                    open_files limit_file describe);

my @CORES;


# --- cores -----------------------------------------------------------------

# The first two that we may use: servers on one, load on the other.
sub cores {
    return @CORES if @CORES;

    my ($list) = `taskset -pc $$ 2>&1` =~ /: ([\d,-]+)\s*$/
        or die "which cores may be used is told by taskset (util-linux), "
               . "which does not run here\n";
    @CORES = map { /(\d+)-(\d+)/ ? ($1 .. $2) : $_ } split /,/, $list;
    @CORES >= 2
        or die "two cores are needed, one for nginx and Redis, one for the "
               . "load; here is one only ($list)\n";
    @CORES = @CORES[0, 1];
    return @CORES;
}


# Children keep the core that they were started on.
sub on_core {
    my ($which, $code) = @_;
    my @cores = cores();

    settle($cores[$which]);
    my @got = eval { wantarray ? $code->() : scalar $code->() };
    my $error = $@;
    settle($cores[1]);
    die $error if $error;
    return wantarray ? @got : $got[0];
}


sub settle {
    my ($core) = @_;
    my $said = `taskset -pc $core $$ 2>&1`;
    die "taskset: $said" if $?;
}


# --- what processes use ----------------------------------------------------

# All its threads, in microseconds: by the scheduler's clock (ns), or where the
# kernel does not keep that, by ticks (10 ms).
sub cpu_us {
    my ($pid) = @_;
    my ($sum, $seen) = (0, 0);

    for my $file (glob "/proc/$pid/task/*/schedstat") {
        my ($ns) = slurp($file) =~ /^(\d+)/ or next;
        ($sum, $seen) = ($sum + $ns, 1);
    }
    return $sum / 1000 if $seen;
    return 1e6 * (CWMP::Nginx::cpu($pid) // die "no process $pid\n");
}


# Bytes: resident, and its share of what it shares.
sub memory {
    my ($pid) = @_;
    my %kb = slurp("/proc/$pid/smaps_rollup") =~ /^(Rss|Pss):\s+(\d+) kB/mg;
    return { rss => CWMP::Nginx::rss($pid) // 0,
             pss => ($kb{Pss} // 0) * 1024 };
}


# Bytes that the kernel holds for TCP, of the whole machine.
sub socket_memory {
    my ($pages) = slurp('/proc/net/sockstat') =~ /^TCP: .* mem (\d+)/m;
    return ($pages // 0) * POSIX::sysconf(POSIX::_SC_PAGESIZE());
}


# Microseconds that it was ready to run and another had its core; 0 where the
# kernel does not tell.
sub waited_us {
    my ($pid) = @_;
    my $sum = 0;

    for my $file (glob "/proc/$pid/task/*/schedstat") {
        my ($ns) = slurp($file) =~ /^\d+ (\d+)/ or next;
        $sum += $ns;
    }
    return $sum / 1000;
}


sub available {
    my ($kb) = slurp('/proc/meminfo') =~ /^MemAvailable:\s+(\d+)/m;
    return ($kb // 0) * 1024;
}


sub open_files {
    my ($soft) = slurp("/proc/$$/limits") =~ /^Max open files\s+(\d+)/m;
    return $soft // 1024;
}


# One of the programs beside the benchmark, which make has built.
sub limit_file {
    my ($name) = @_;
    my $file = ($ENV{TEST_LIMITS} || project_root() . '/build/bench')
               . "/$name";
    -x $file or die "no $file: make limits\n";
    return $file;
}


# --- what to write beside the figures --------------------------------------

sub describe {
    my ($cpu) = slurp('/proc/cpuinfo') =~ /^model name\s*:\s*(.*)/m;
    my ($total) = slurp('/proc/meminfo') =~ /^MemTotal:\s+(\d+)/m;
    my ($nginx) = `$_[0]{nginx} -v 2>&1` =~ m{nginx/(\S+)};
    my ($redis) = `$_[0]{redis} --version` =~ /v=(\S+)/;
    my ($kernel, $load) = ((POSIX::uname())[2], slurp('/proc/loadavg'));

    return {
        cpu => $cpu // 'unknown', cores => scalar(`nproc`) + 0,
        memory_mb => int(($total // 0) / 1024), kernel => $kernel,
        nginx => $nginx // 'unknown', redis => $redis // 'unknown',
        load_before => (split ' ', $load)[0],
        cpu_clock => -e "/proc/$$/schedstat" ? 'schedstat, ns'
                                             : 'stat, 10 ms',
    };
}

1;
