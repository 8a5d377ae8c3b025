import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import llm.orchestrator.state.StepCompleted;
import llm.orchestrator.state.StepStarted;
import llm.orchestrator.state.StepState;
import llm.orchestrator.state.StepStatus;
import llm.orchestrator.state.TransitionEvent;
import llm.orchestrator.state.WorkflowCompleted;
import llm.orchestrator.state.WorkflowCreated;
import llm.orchestrator.state.WorkflowStarted;
import llm.orchestrator.state.WorkflowState;
import llm.orchestrator.state.WorkflowStatus;

/**
 * The product's fold, for the kinds of events that the workloads have: the same checks in the same order, the same
 * effects. A duplicate or an illegal event leaves the state as it is.
 */
final class Fold {
    /** Changes the given state (null: there is no run) and returns it. */
    static WorkflowState apply(TransitionEvent event, WorkflowState state) {
        Object transition = event.getTransition();
        Integer attempt = attemptOf(transition);
        long id = 0;
        if (attempt == null) {
            id = Window.shortId(event.getEventId());
            if (state != null && Window.remembers(state.getRecentEventIds(), id)) return state;
        }
        if (transition instanceof WorkflowCreated created) {
            if (state != null || !expected(event, 0)) return state;
            state = newState(event, created);
        } else if (state == null || fenced(event, state) || !applied(transition, attempt, event, state)) {
            return state;
        }
        state.setVersion(state.getVersion() + 1);
        state.setLastEventId(event.getEventId().toLowerCase(Locale.ROOT));
        state.setUpdatedAt(Math.max(state.getUpdatedAt(), event.getOccurredAt()));
        if (event.getFencingToken() != null) state.setFencingToken(event.getFencingToken());
        if (attempt == null) state.setRecentEventIds(Window.with(state.getRecentEventIds(), id));
        return state;
    }

    private static Integer attemptOf(Object transition) {
        if (transition instanceof StepStarted started) return started.getAttempt();
        if (transition instanceof StepCompleted completed) return completed.getAttempt();
        return null;
    }

    private static boolean expected(TransitionEvent event, long version) {
        return event.getExpectedVersion() == null || event.getExpectedVersion() == version;
    }

    private static boolean fenced(TransitionEvent event, WorkflowState state) {
        Long token = event.getFencingToken(), highest = state.getFencingToken();
        return token != null && highest != null && token < highest;
    }

    /** Whether the event counts; then it has had its effect. */
    private static boolean applied(Object transition, Integer attempt, TransitionEvent event, WorkflowState state) {
        long at = event.getOccurredAt();
        if (transition instanceof StepStarted started) {
            StepState step = state.getSteps().get(started.getStepId());
            // of the step's attempt and of those before, a start says nothing new
            if (attempt != null && step != null && attempt <= step.getAttempt()) return false;
            if (!expected(event, state.getVersion()) || !isUnderWay(state)) return false;
            start(step == null ? newStep(state, started.getStepId()) : step, attempt, at);
            return true;
        }
        if (transition instanceof StepCompleted completed) {
            StepState step = state.getSteps().get(completed.getStepId());
            if (attempt != null && step != null && isSettled(step, attempt)) return false;
            if (!expected(event, state.getVersion()) || !isUnderWay(state) && !isInFlight(state, step)) return false;
            complete(state, step == null ? newStep(state, completed.getStepId()) : step, completed, at);
            return true;
        }
        if (!expected(event, state.getVersion())) return false;
        WorkflowStatus status = state.getStatus();
        if (transition instanceof WorkflowStarted) {
            if (status != WorkflowStatus.pending) return false;
            state.setStatus(WorkflowStatus.running);
        } else if (transition instanceof WorkflowCompleted) {
            if (status != WorkflowStatus.pending && !isUnderWay(state)) return false;
            state.setStatus(WorkflowStatus.completed);
            state.setCompletedAt(at);
        } else {
            throw new IllegalArgumentException("no workload has a " + transition.getClass().getSimpleName());
        }
        state.setStatusReason(null);
        return true;
    }

    private static boolean isUnderWay(WorkflowState state) {
        return state.getStatus() == WorkflowStatus.running || state.getStatus() == WorkflowStatus.paused;
    }

    private static boolean isInFlight(WorkflowState state, StepState step) {
        return state.getStatus() == WorkflowStatus.failed && step != null && step.getStatus() == StepStatus.running;
    }

    /** Whether an outcome of this attempt is too late, or there already. */
    private static boolean isSettled(StepState step, int attempt) {
        if (attempt != step.getAttempt()) return attempt < step.getAttempt();
        StepStatus status = step.getStatus();
        return status == StepStatus.pending || status == StepStatus.completed || status == StepStatus.failed;
    }

    private static void start(StepState step, Integer attempt, long at) {
        step.setStatus(StepStatus.running);
        step.setAttempt(attempt == null ? step.getAttempt() + 1 : attempt);
        step.setStartedAt(at);
        step.setCompletedAt(null);
        step.setOutputs(null);
        step.setError(null);
        step.setErrorType(null);
        step.setStatusReason(null);
    }

    private static void complete(WorkflowState state, StepState step, StepCompleted completed, long at) {
        Integer attempt = completed.getAttempt();
        if (step.getStatus() != StepStatus.running || attempt != null && attempt > step.getAttempt()) {
            step.setAttempt(attempt == null ? step.getAttempt() + 1 : attempt);
            step.setStartedAt(null);
        }
        step.setStatus(StepStatus.completed);
        step.setCompletedAt(at);
        step.setStatusReason(null);
        step.setOutputs(completed.getOutputs());
        step.setError(null);
        step.setErrorType(null);
        for (Map.Entry<String, Long> used : completed.getUsage().entrySet()) {
            step.getUsage().merge(used.getKey(), used.getValue(), Long::sum);
            state.getUsage().merge(used.getKey(), used.getValue(), Long::sum);
        }
    }

    private static WorkflowState newState(TransitionEvent event, WorkflowCreated created) {
        WorkflowState state = new WorkflowState();
        state.setId(event.getRunId().toLowerCase(Locale.ROOT));
        state.setWorkflowId(created.getWorkflowId());
        state.setWorkflowName(created.getWorkflowName());
        state.setUserId(created.getUserId());
        state.setStartedAt(event.getOccurredAt());
        state.setLabels(created.getLabels());
        state.setParent(created.getParent());
        state.setContext(created.getContext());
        state.setStatus(WorkflowStatus.pending);
        state.setUpdatedAt(event.getOccurredAt());
        state.setRecentEventIds(ByteBuffer.allocate(0));
        state.setReleasedOutputs(new ArrayList<>());
        state.setUsage(new HashMap<>());
        state.setSteps(new HashMap<>());
        return state;
    }

    private static StepState newStep(WorkflowState state, String id) {
        StepState step = new StepState(
            id, StepStatus.pending, null, null, null, null, 0, 0, null, null, new HashMap<>(), null);
        state.getSteps().put(id, step);
        return step;
    }
}
