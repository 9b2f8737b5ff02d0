/*
 * For sanitized builds only.  nginx that did not become a server (it tested
 * its configuration, refused it, or sent a signal) leaves its pools to the
 * kernel: leaks are looked for in masters, workers and single processes.
 */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


int __lsan_is_turned_off(void);


int
__lsan_is_turned_off(void)
{
    return ngx_process == NGX_PROCESS_SIGNALLER
           || (ngx_process == NGX_PROCESS_SINGLE
               && ngx_event_actions.process_events == NULL);
}
