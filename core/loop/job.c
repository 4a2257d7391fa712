/* job.c - work on a thread of libuv's pool, which starts with the first job.
 *
 * Rules    done comes exactly once, on the loop; the job is freed right after it. A job that is
 *          running can't be stopped: whoever wants that hands it a flag to look at. Jobs step back
 *          for whoever types: on one CPU a key would else wait until a job's turn is over. */
#include "core/loop/internal.h"

#include <sys/resource.h>

#define JOB_NICE 10

struct loop_job {
    uv_work_t uv;
    loop_fn *work;
    void (*done)(bool is_cancelled, void *user);
    void *user;
};

static void on_thread(uv_work_t *req);
static void on_finished(uv_work_t *req, int status);

struct loop_job *loop_job_start(struct loop *loop, loop_fn *work,
                                void (*done)(bool is_cancelled, void *user), void *user)
{
    struct loop_job *job = xcalloc(1, sizeof *job);
    job->work = work;
    job->done = done;
    job->user = user;
    ASSERT(uv_queue_work(&loop->uv, &job->uv, on_thread, on_finished) == 0);
    return job;
}

void loop_job_cancel(struct loop_job *job)
{
    if (job) {
        (void)uv_cancel((uv_req_t *)&job->uv);
    }
}

/* Where priorities belong to threads; elsewhere this would slow down the loop too. */
static void step_back(void)
{
#ifdef __linux__
    static _Thread_local bool has_stepped_back;
    if (!has_stepped_back) {
        has_stepped_back = true;
        (void)setpriority(PRIO_PROCESS, 0, JOB_NICE);
    }
#endif
}

static void on_thread(uv_work_t *req)
{
    struct loop_job *job = container_of(req, struct loop_job, uv);
    step_back();
    job->work(job->user);
}

static void on_finished(uv_work_t *req, int status)
{
    struct loop_job *job = container_of(req, struct loop_job, uv);
    job->done(status == UV_ECANCELED, job->user);
    xfree(job);
}
