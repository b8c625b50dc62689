using Microsoft.Extensions.Logging;
using Postrider.Messages;

namespace Postrider.Tenants;

/// <summary>Writes into the audit who signed in, who became the first administrator, and who tried to sign in and could not.</summary>
/// <remarks>Of failures there is one entry for a name, an answer and a minute, and no more than <see cref="MaxFailures"/> a minute on a node:
/// who guesses fills no disk. A name that nobody has is not written down, as people type passwords into the wrong field.</remarks>
public sealed partial class SignInLog(IUserStore users, IAuditStore audit, TimeProvider clock, ILogger<SignInLog> log)
{
    public const string SignIn = "POST /ui/sign-in";
    public const string Welcome = "POST /ui/welcome";

    /// <summary>What stands for whoever typed a name that nobody has.</summary>
    public const string Unknown = "user:(unknown)";

    const int MaxFailures = 100;

    readonly Lock _lock = new();
    readonly HashSet<(string Key, int Status)> _failures = [];     // of _minute; guarded by _lock
    long _minute;                                                  // since 1970; guarded by _lock

    /// <param name="action"><see cref="SignIn"/> or <see cref="Welcome"/>.</param>
    /// <param name="name">As it was typed.</param>
    /// <param name="source">Where it comes from: an address; null where that is not known.</param>
    public async Task NoteAsync(string action, string name, UserResult result, string? source, CancellationToken ct)
    {
        // The tenant whose people see it; what fits nobody is the installation's.
        var user = result.User ?? (await users.FindAsync(name.Trim(), ct))?.User;
        var key = user is null ? Unknown : $"user:{user.Name}";
        var status = result.Problem?.Status ?? 200;
        // What was refused for another cause, a password that is too short, is no try to get in.
        if (status is not (200 or 401 or 410 or 429) || (status != 200 && !IsFirst(key, status)))
            return;
        var target = action[(action.IndexOf(' ', StringComparison.Ordinal) + 1)..];
        var entry = new AuditEntry(0, clock.GetUtcNow(), user?.Tenant ?? TenantId.First, key, action, target, status, source);
        try
        {
            await audit.AddAsync(entry);
        }
        catch (Exception fault) when (fault is StoreUnavailableException or StorageLowException)
        {
            LogNotRecorded(fault.Message, entry);
        }
    }

    bool IsFirst(string key, int status)
    {
        var minute = clock.GetUtcNow().ToUnixTimeSeconds() / 60;
        lock (_lock)
        {
            if (minute != _minute)
            {
                _failures.Clear();
                _minute = minute;
            }
            return _failures.Count < MaxFailures && _failures.Add((key, status));
        }
    }

    [LoggerMessage(LogLevel.Error, "A sign-in could not be recorded ({Reason}): {Entry}")]
    partial void LogNotRecorded(string reason, AuditEntry entry);
}
