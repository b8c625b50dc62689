using Postrider.Messages;

namespace Postrider.Schedules;

/// <summary>Which stored lists schedules send to.</summary>
public static class ScheduledLists
{
    const int AtOnce = 100;
    const int MaxShown = 10;

    extension(IScheduleStore schedules)
    {
        /// <summary>Why a list may not go: active or paused schedules would send to nobody. Null: it may.</summary>
        public async Task<Problem?> WhyNeededAsync(TenantId tenant, MessageId list, CancellationToken ct)
        {
            var names = new List<string>();
            foreach (var state in (ScheduleState[])[ScheduleState.Active, ScheduleState.Paused])
                for (MessageId? before = null; await schedules.ListAsync(tenant, state, before, AtOnce, ct) is { Count: > 0 } page;
                    before = page[^1].Id)
                    names.AddRange(page.Where(one => one.Recipients.IsList && one.Recipients.Source == list).Select(one => one.Name));
            return names.Count == 0 ? null : InUse(names);
        }
    }

    static Problem InUse(List<string> names)
    {
        var more = names.Count > MaxShown ? $" and {names.Count - MaxShown:N0} more" : "";
        return new Problem("list-in-use", 409, "List in use",
            $"Schedules send to it: {string.Join(", ", names.Take(MaxShown).Select(name => $"'{name}'"))}{more}. "
            + "Change or archive them first, or remove it all the same with ?force=true.");
    }
}
