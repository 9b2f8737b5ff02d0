package CWMP::Nginx;

# One nginx: its prefix, its nginx.conf, its master and its workers.  It knows
# how to be started, reloaded, stopped and hurt; what the results mean is the
# test's business (CWMP::Test).
#
#   my $node = CWMP::Nginx->new(prefix => $dir, port => 7547, workers => 2,
#       redis => 'unix:/run/redis.sock', acs => '...', server => '...',
#       http => '...', main => '...');
#   $node->start; $node->reload; $node->workers; $node->quit;
#
# daemon => 'on' lets it be one, which an upgrade needs (upgrade_begin, _end).
# env => {}: more of its environment.
#
# module: the file for load_module; '' for a static build; not given, it is
# $TEST_NGINX_MODULE, or else the one below build/.  redis => '' leaves the
# cwmp_redis line out.  acs => undef leaves the location out.
# conf => '...' replaces the whole template.  %%PORT%%, %%PREFIX%%, %%REDIS%%
# (and what the caller puts into expand => {}) are replaced in every text.

use strict;
use warnings;

use File::Find ();
use File::Path qw(make_path);
use IO::Socket::INET;
use POSIX ();

use CWMP::Daemon qw(wait_for find_binary patience project_root children_of
                    pid_runs slurp);

use parent -norequire, 'CWMP::Daemon';

my $TEMPLATE = <<'CONF';
%%LOAD%%
%%USER%%
daemon %%DAEMON%%;
worker_processes %%WORKERS%%;
error_log logs/error.log %%LEVEL%%;
pid nginx.pid;
%%MAIN%%

events {
    worker_connections %%CONNECTIONS%%;
    %%EVENTS%%
}

http {
    access_log %%ACCESS%%;
    keepalive_requests 1000;
    client_body_temp_path tmp/body;
    proxy_temp_path tmp/proxy;
    fastcgi_temp_path tmp/fastcgi;
    uwsgi_temp_path tmp/uwsgi;
    scgi_temp_path tmp/scgi;
    %%CWMP_REDIS%%
    %%HTTP%%

    server {
        listen 127.0.0.1:%%PORT%%;
        %%SERVER%%
        %%LOCATION%%
    }
}
CONF


sub new {
    my ($class, %opt) = @_;
    return $class->SUPER::new(
        name => 'nginx', workers => 1, level => $ENV{TEST_LOG_LEVEL} || 'info',
        access => 'off', daemon => 'off', connections => 1024, acs => '', %opt);
}


sub port { return $_[0]{port} }
sub prefix { return $_[0]{prefix} }
sub error_log { return "$_[0]{prefix}/logs/error.log" }
sub stderr_log { return "$_[0]{prefix}/logs/stderr.log" }


sub url {
    my ($self, $path) = @_;
    return "http://127.0.0.1:$self->{port}" . ($path // '/cwmp');
}


# --- configuration ---------------------------------------------------------

# The built module, or nothing when nginx has it inside.
sub find_module {
    return $ENV{TEST_NGINX_MODULE} if defined $ENV{TEST_NGINX_MODULE};

    my @found;
    my $build = project_root() . '/build';
    File::Find::find({ no_chdir => 1, wanted => sub {
        push @found, $_ if m{/ngx_[a-z_]*cwmp[a-z_]*\.so$};
    } }, $build) if -d $build;

    my ($newest) = sort { -M $a <=> -M $b } @found;
    return $newest if $newest;
    die "the module is not built: run make, or set TEST_NGINX_MODULE to its "
        . "file (empty when nginx has it inside)\n";
}


sub conf_text {
    my ($self) = @_;
    my $module = $self->{module} // find_module();
    my $redis = $self->{redis};

    my %value = (
        LOAD => length $module ? "load_module $module;" : '',
        USER => $> == 0 ? 'user root;' : '',
        MAIN => $self->{main}, EVENTS => $self->{events},
        HTTP => $self->{http}, SERVER => $self->{server},
        WORKERS => $self->{workers}, LEVEL => $self->{level},
        DAEMON => $self->{daemon},
        CONNECTIONS => $self->{connections}, ACCESS => $self->{access},
        CWMP_REDIS => length($redis // '') ? "cwmp_redis $redis;" : '',
        LOCATION => defined $self->{acs}
            ? "location /cwmp {\n            cwmp_acs;\n"
              . "            $self->{acs}\n        }" : '',
        PORT => $self->{port}, PREFIX => $self->{prefix},
        REDIS => $redis, %{ $self->{expand} || {} },
    );

    my $text = $self->{conf} // $TEMPLATE;
    1 while $text =~ s/%%([A-Z_0-9]+)%%/expand_one(\%value, $1)/ge;
    $text =~ s/^\s*\n//mg;
    return $text;
}


sub expand_one {
    my ($value, $name) = @_;
    die "nginx.conf: nothing is known as %%$name%%\n" if !exists $value->{$name};
    return $value->{$name} // '';
}


sub write_conf {
    my ($self) = @_;
    make_path("$self->{prefix}/logs", "$self->{prefix}/tmp");

    my $text = $self->conf_text;
    open(my $fh, '>', "$self->{prefix}/nginx.conf")
        or die "$self->{prefix}/nginx.conf: $!\n";
    print $fh $text;
    close($fh) or die "$self->{prefix}/nginx.conf: $!\n";
}


sub argv {
    my ($self) = @_;
    my $nginx = find_binary('nginx', 'TEST_NGINX_BINARY');
    return ($nginx, '-p', "$self->{prefix}/", '-c', 'nginx.conf',
            knows_e($nginx) ? ('-e', 'logs/error.log') : ());
}


# -e came with 1.19.5; before it the log of the start is where it was built to
sub knows_e {
    my ($nginx) = @_;
    my ($minor, $patch) = `$nginx -v 2>&1` =~ m{nginx/1\.(\d+)\.(\d+)};
    return !defined $minor || $minor > 19 || $minor == 19 && $patch >= 5;
}


# `nginx -t`: (true or false, what it said).
sub check_conf {
    my ($self) = @_;

    $self->write_conf;
    my $output = "$self->{prefix}/logs/check.log";
    unlink($output);

    my $check = CWMP::Daemon->new(name => 'nginx -t');
    $check->spawn([$self->argv, '-t'], output => $output,
                  env => $self->sanitizer_env);
    $check->wait_exit(20) or $check->end_with(1);
    return (($check->{status} // 1) == 0, slurp($output));
}


sub sanitizer_env {
    my ($self) = @_;
    return {} unless $ENV{TEST_SANITIZED};

    my $log = "log_path=$self->{prefix}/logs/sanitizer";
    my $lsan = $ENV{TEST_LSAN_SUPPRESSIONS};
    return {
        ASAN_OPTIONS => join(':', 'detect_leaks=1', $log,
                             $ENV{ASAN_OPTIONS} || ()),
        UBSAN_OPTIONS => join(':', 'print_stacktrace=1', $log,
                              $ENV{UBSAN_OPTIONS} || ()),
        $lsan ? (LSAN_OPTIONS => "suppressions=$lsan:print_suppressions=0")
              : (),
    };
}


# --- life ------------------------------------------------------------------

sub start {
    my ($self) = @_;

    $self->write_conf unless $self->{keep_conf};
    unlink("$self->{prefix}/nginx.pid");
    my $said = -s $self->stderr_log || 0;
    $self->spawn([$self->argv], output => $self->stderr_log, own_group => 1,
                 env => { %{ $self->sanitizer_env }, %{ $self->{env} || {} } });

    if ($self->{daemon} eq 'on' && wait_for(sub { $self->pid_file })) {
        $self->adopt($self->pid_file);
    }
    wait_for(sub { !$self->alive || $self->ready }, 10);
    return $self if $self->alive && $self->ready;

    my $why = $self->alive ? 'it is not ready after '
              . patience(10) . ' seconds' : $self->exit_text;
    $self->end_with(2, 'TERM');
    die "nginx did not start ($why):\n"
        . substr(slurp($self->stderr_log), $said);
}


sub pid_file {
    my ($self) = @_;
    return (slurp("$self->{prefix}/nginx.pid") =~ /^(\d+)\n/)[0];
}


sub ready {
    my ($self) = @_;

    return unless $self->pid_file;
    return unless $self->workers >= $self->worker_count;
    return IO::Socket::INET->new(PeerAddr => '127.0.0.1', Timeout => 1,
                                 PeerPort => $self->{port});
}


sub worker_count {
    my ($self) = @_;
    return $self->{workers} eq 'auto' ? 1 : $self->{workers};
}


# Pids of the workers that take connections (those shutting down, on request).
sub workers {
    my ($self, $shutting_down) = @_;
    my $master = $self->{pid} or return;

    return grep {
        my $title = slurp("/proc/$_/cmdline");
        $title =~ /worker process/
            && ($shutting_down ? 1 : $title !~ /shutting down/);
    } children_of($master);
}


sub reload {
    my ($self) = @_;
    my %old = map { ($_ => 1) } $self->workers(1);

    $self->write_conf unless $self->{keep_conf};
    $self->signal('HUP') or die "nginx is not running\n";
    wait_for(sub {
        my @new = $self->workers;
        @new >= $self->worker_count && !grep { $old{$_} } @new;
    }, 10) or die "nginx did not reload:\n" . last_lines($self->error_log, 5);

    return $self;
}


# A new binary is started beside the old one, and both serve until the old one
# is told to leave.  Needs daemon => 'on': nginx takes a parent that stays for
# the old binary's.
sub upgrade_begin {
    my ($self) = @_;
    my $old = $self->{old} = $self->{pid};

    $self->signal('USR2') or die "nginx is not running\n";
    wait_for(sub { ($self->pid_file // $old) != $old }, 10)
        or die "no new nginx:\n" . last_lines($self->error_log, 5);
    $self->adopt($self->pid_file);
    wait_for(sub { $self->ready }, 10) or die "the new nginx is not ready\n";
    return ($old, $self->{pid});
}


sub upgrade_end {
    my ($self) = @_;
    my $old = delete $self->{old};

    kill('WINCH', $old);
    wait_for(sub { !children_of_old($old, $self->{pid}) }, 20)
        or die "the old workers do not leave\n";
    kill('QUIT', $old);
    wait_for(sub { !pid_runs($old) }, 5) or die "the old master stays\n";
}


# The new master is a child of the old one.
sub children_of_old {
    my ($old, $new) = @_;
    return grep { $_ != $new && pid_runs($_) } children_of($old);
}


# The signal that ended it: what was asked for, or a harder one.
sub stop { return $_[0]->end_with(5, 'TERM') }
sub quit { return $_[0]->end_with($_[1] // 10, 'QUIT', 'TERM') }
sub restart { $_[0]->stop; return $_[0]->start }


sub kill9_worker {
    my ($self, $pid) = @_;

    $pid //= ($self->workers)[0] or die "nginx has no worker to kill\n";
    kill('KILL', $pid);
    wait_for(sub { !grep { $_ == $pid } $self->workers(1) }, 5);
    return $pid;
}


sub last_lines {
    my ($file, $n) = @_;
    my @lines = split(/^/, slurp($file));
    splice(@lines, 0, -$n) if @lines > $n;
    return join('', @lines);
}


# --- what the processes use ------------------------------------------------

sub rss {
    my ($pid) = @_;
    my ($kb) = slurp("/proc/$pid/status") =~ /^VmRSS:\s+(\d+) kB/m;
    return defined $kb ? $kb * 1024 : undef;
}


# Seconds of CPU, user and system together.
sub cpu {
    my ($pid) = @_;
    my ($rest) = slurp("/proc/$pid/stat") =~ /\) (.*)/s or return;
    my @field = split(/ /, $rest);
    return ($field[11] + $field[12]) / POSIX::sysconf(POSIX::_SC_CLK_TCK());
}

1;
