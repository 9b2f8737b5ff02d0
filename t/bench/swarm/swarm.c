#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include "arrive.h"
#include "settings.h"
#include "tls.h"
settings_t settings = { .manufacturer = "Acme", .oui = "00D09E", .product_class = "Swarm", .cpes = 1000, .closed = 16,
  .inform = 8, .timeout = 30, .duration = 10, .connect = CONNECT_KEEP, .first = 1, .ns = "urn:dslforum-org:cwmp-1-2" };
void arrive_step(void);
static const struct option opts[] = { {"cpes",1,0,'n'},{"closed",1,0,'k'},{"duration",1,0,'d'},{"sessions",1,0,'s'},{"inform",1,0,'i'},{"connection",1,0,'c'},{"tls-resume",0,0,'r'},{0,0,0,0}};
int main(int argc, char **argv) {
  int o;
  while ((o = getopt_long(argc, argv, "", opts, NULL)) != -1) {
    if (o == 'n') settings.cpes = strtoull(optarg,0,10);
    else if (o == 'k') settings.closed = strtoull(optarg,0,10);
    else if (o == 'd') settings.duration = atof(optarg);
    else if (o == 's') settings.sessions = strtoull(optarg,0,10);
    else if (o == 'i') settings.inform = strtoull(optarg,0,10);
    else if (o == 'r') settings.tls_resume = 1;
    else if (o == 'c') settings.connect = optarg[0]=='k' ? CONNECT_KEEP : optarg[0]=='s' ? CONNECT_SESSION : CONNECT_POST;
    else return 2;
  }
  if (optind + 1 != argc) die("usage: swarm [--cpes N] [--closed K] [--duration S] [--sessions N] [--inform PARAMETERS] [--connection keep|session|post] [--tls-resume] URL");
  settings.url = argv[optind];
  signal(SIGPIPE, SIG_IGN);
  net_init(); tls_init(); exchange_init(); cpe_init();
  stats.began = clock_ns();
  arrive_begin();
  while (!arrive_finished()) {
    arrive_step();
    int w = timer_wait_ms(clock_ns());
    net_step(w);
    timer_run(clock_ns());
  }
  double s = (double)(clock_ns() - stats.began) / 1e9;
  printf("%lu sessions in %.2f s, %.0f/s, failed %lu, POSTs %lu, p50 %lu us p99 %lu us (session)\n", stats.done, s, (double) stats.done / s, stats_failed(), stats.posts, hist_percentile(&stats.session,50), hist_percentile(&stats.session,99));
  for (unsigned i = 0; i < stats.kinds_n; i++) if (stats.kinds[i].times) printf("%-10s p50 %lu us, p99 %lu us\n", stats.kinds[i].name, hist_percentile(stats.kinds[i].times,50), hist_percentile(stats.kinds[i].times,99));
  for (unsigned i = 0; i < stats.notes_n; i++) printf("%lu x %s\n", stats.notes[i].n, stats.notes[i].text);
  return stats_failed() != 0;
}
