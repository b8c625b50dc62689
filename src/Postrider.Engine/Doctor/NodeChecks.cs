using System.Globalization;

namespace Postrider.Doctor;

/// <summary>The processes, what each of them does, and where they listen.</summary>
static class NodeChecks
{
    public static readonly IReadOnlyList<Check> All =
    [
        Check.Of("server.silent", "Does the server answer?", static (facts, found) => facts.IsSilent
            ? [found.Fault("A process has the database, and nothing answers at the address of POSTRIDER_URLS.",
                "It may hang or listen elsewhere: look at its log, and stop it where it is not wanted.")]
            : []),
        Check.Of("ports.taken", "Are the addresses to listen on free?", static (facts, found) => facts.ClosedPorts.Select(port =>
            found.Fault($"{port.Address} cannot be listened on: {port.Why}.",
                "Stop what has it (ss -ltnp shows it), or give another address in POSTRIDER_URLS, POSTRIDER_ADMIN_URLS or POSTRIDER_SMTP."))),
        Missing("roles.no-worker", "Does anybody deliver?", "worker", "No node has the role worker: mail is taken and none is sent."),
        Missing("roles.no-scheduler", "Does anybody run schedules?", "scheduler",
            "No node has the role scheduler: schedules, large batches, webhooks and retention stand still."),
        Missing("roles.no-entrance", "Does anybody take mail?", "api", "No node has the role api: nobody can hand mail in by HTTP."),
        Check.Of("nodes.versions", "Do all nodes run the same program?", static (facts, found) =>
            facts.Nodes.Select(node => node.Version).Distinct().Order(StringComparer.Ordinal).ToList() is { Count: > 1 } versions
                ? [found.Warning($"The nodes run {string.Join(" and ", versions)}.",
                    "That is right while they are replaced one by one; finish it, or one of them was forgotten: postrider nodes.")]
                : []),
    ];

    static Check Missing(string name, string question, string role, string words) => Check.Of(name, question, (facts, found) =>
        facts.Nodes.Count > 0 && !facts.Nodes.Any(node => Has(node, role))
            ? [found.Fault(words, $"Add {role} to POSTRIDER_ROLES of a node, or leave the setting out: it means all.")]
            : []);

    static bool Has(NodeFact node, string role) =>
        node.Roles.Split([' ', ',', '\t'], StringSplitOptions.RemoveEmptyEntries) is var roles
        && (roles is [] or ["all"] || roles.Contains(role, StringComparer.OrdinalIgnoreCase));
}

/// <summary>What waits, and why it may not go.</summary>
static class QueueChecks
{
    static readonly TimeSpan Late = TimeSpan.FromMinutes(15);

    public static readonly IReadOnlyList<Check> All =
    [
        Check.Of("queue.late", "Does mail go when it is due?", static (facts, found) =>
            facts is { AnyNodeRuns: true, Store.OldestDue: { } due } && facts.Now - due > Late
                ? [found.Warning(string.Create(CultureInfo.InvariantCulture, $"The oldest mail has been due for {(facts.Now - due).TotalMinutes:0} minutes."),
                    "postrider queue shows what waits and for what.")]
                : []),
        Check.Of("queue.paused", "Is anything stopped?", static (facts, found) => facts.Store?.Pauses.Select(pause =>
            found.Warning($"An operator has paused {pause}.", "Let it go on when the reason is over: DELETE /pause, or the dashboard.")) ?? []),
    ];
}
