package CWMP::Certificates;

# Certificates for TLS tests, made by openssl in a directory: a CA, what it
# signs, what it takes back, and what it says of that (CRL, OCSP).
#
#   my $ca = CWMP::Certificates->new(dir => $dir, name => 'ca');
#   $ca->make('acs', alt => 'DNS:acs.example', ocsp => 'http://127.0.0.1:1/');
#   $ca->make('device', subject => '/CN=00D09E-Box-1', rsa => 1);
#   $ca->make('old', expired => 1);
#   $ca->revoke('device'); $ca->crl;            # DIR/ca.crl, for 2 days; crl(9)
#   $ca->responder($port);                      # an OCSP responder, a Daemon
#
# NAME.pem and NAME.key; of the CA NAME.pem is what its clients trust.
#
#   tls($port, '-tls1_2', ...)  what openssl s_client says of a connection
#   shipped($file, [qr/.../ => '...' or sub {}], ...)  a file of docs/examples,
#     changed so; each must be in there

use strict;
use warnings;

use Exporter 'import';

use CWMP::Daemon qw(project_root slurp wait_for patience);

our @EXPORT_OK = qw(tls shipped openssl put);

my $log = '/dev/null';


sub openssl {
    my (@args) = @_;
    system("openssl @args >>$log 2>&1") == 0
        or die "openssl @args failed\n" . slurp($log);
}


sub put {
    my ($file, $text) = @_;
    open(my $fh, '>', $file) or die "$file: $!\n";
    print $fh $text;
    close($fh) or die "$file: $!\n";
    return $file;
}


sub new {
    my ($class, %opt) = @_;
    my $self = bless { name => 'ca', hash => 'sha256', serial => 0x1000,
                       %opt }, $class;
    my $base = "$self->{dir}/$self->{name}";

    $log = "$self->{dir}/openssl.log";
    put("$base.index", '');
    put("$base.crlnumber", "01\n");
    put("$base.conf", <<"CONF");
[ca]
default_ca = ca_default
[ca_default]
database = $base.index
crlnumber = $base.crlnumber
certificate = $base.pem
private_key = $base.key
default_md = $self->{hash}
default_crl_days = 2
rand_serial = yes
new_certs_dir = $self->{dir}
policy = any
preserve = yes
[any]
CONF
    openssl("req -x509 -newkey rsa:2048 -nodes -days 2 -$self->{hash}",
            "-subj '/O=Vendor/CN=$self->{name}' -keyout $base.key",
            "-out $base.pem");
    return $self;
}


sub make {
    my ($self, $name, %opt) = @_;
    my $base = "$self->{dir}/$name";
    my $ca = "$self->{dir}/$self->{name}";
    my $kind = $opt{rsa} ? 'rsa:2048' : 'ec -pkeyopt ec_paramgen_curve:P-256';
    my $serial = sprintf('%X', ++$self->{serial});

    put("$base.ext", join("\n",
        $opt{alt} ? "subjectAltName=$opt{alt}" : (),
        $opt{ocsp} ? "authorityInfoAccess=OCSP;URI:$opt{ocsp}" : (),
        $opt{signer} ? 'extendedKeyUsage=OCSPSigning' : (), ''));
    openssl("req -new -newkey $kind -nodes -utf8 -multivalue-rdn",
            "-subj '" . ($opt{subject} // "/CN=$name") . "'",
            "-keyout $base.key -out $base.csr");
    openssl("x509 -req -in $base.csr -CA $ca.pem -CAkey $ca.key -days 2",
            "-$self->{hash} -set_serial 0x$serial -extfile $base.ext",
            "-out $base.pem");
    $self->make_expired($name) if $opt{expired};
    $self->{index}{$name} = $serial;
    $self->write_index;
    return $self;
}


# `openssl x509` makes none before version 3.4
sub make_expired {
    my ($self, $name) = @_;
    my $base = "$self->{dir}/$name";
    openssl("ca -batch -notext -config $self->{dir}/$self->{name}.conf",
            '-startdate 20200101000000Z -enddate 20200102000000Z',
            "-in $base.csr -out $base.pem");
}


# the database of `openssl ca`: what is good, and since when not
sub write_index {
    my ($self) = @_;
    my $index = $self->{index};
    put("$self->{dir}/$self->{name}.index", join('', map {
        join("\t", $self->{revoked}{$_} ? ('R', '491231235959Z', '200101000000Z')
                                        : ('V', '491231235959Z', ''),
             $index->{$_}, 'unknown', "/CN=$_") . "\n"
    } sort { hex($index->{$a}) <=> hex($index->{$b}) } keys %$index));
}


sub revoke {
    my ($self, $name) = @_;
    $self->{revoked}{$name} = 1;
    $self->write_index;
    return $self;
}


sub crl {
    my ($self, $seconds) = @_;
    my $base = "$self->{dir}/$self->{name}";
    openssl("ca -config $base.conf -gencrl -out $base.crl",
            $seconds ? "-crlsec $seconds" : '');
    return "$base.crl";
}


sub responder {
    my ($self, $port) = @_;
    my $base = "$self->{dir}/$self->{name}";
    my $d = CWMP::Daemon->new(name => 'openssl ocsp');
    unlink("$self->{dir}/ocsp.log");
    $self->make('ocsp', signer => 1) unless -e "$self->{dir}/ocsp.pem";
    $d->spawn(['openssl', 'ocsp', '-port', $port, '-index', "$base.index",
               '-CA', "$base.pem", '-rsigner', "$self->{dir}/ocsp.pem",
               '-rkey', "$self->{dir}/ocsp.key", '-nmin', 60],
              output => "$self->{dir}/ocsp.log");
    # it serves one client at a time: a look at its port would be that one
    wait_for(sub { slurp("$self->{dir}/ocsp.log") =~ /waiting for OCSP/ },
             patience(5)) or die "no OCSP responder\n";
    return $d;
}


# --- the client --------------------------------------------------------------

sub tls {
    my ($port, @args) = @_;
    my $get = 'GET /ready HTTP/1.0\r\n\r\n';
    return scalar `printf '$get' | timeout 20 openssl s_client -connect 127.0.0.1:$port -ign_eof @args 2>&1`;
}


sub shipped {
    my ($file, @changes) = @_;
    my $text = slurp(project_root() . "/docs/examples/$file");

    for (@changes) {
        my ($from, $to) = @$_;
        $text =~ s/$from/ref $to ? $to->() : $to/ge
            or die "$file has no $from\n";
    }
    return $text;
}

1;
