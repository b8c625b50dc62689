using System.Text.Json;
using Postrider.Messages;
using Postrider.Tenants;

namespace Postrider.Dashboard.Parts;

/// <summary>A tenant's name and limits while they are written. Empty: as the installation has it; 0: no limit.</summary>
public sealed class TenantDraft
{
    public string Name { get; set; } = "";
    public long? MaxQueued { get; set; }
    public int? ApiCallsPerMinute { get; set; }
    public long? MaxStorageBytes { get; set; }
    public int? Weight { get; set; }
    public long? DailyQuota { get; set; }
    public long? MonthlyQuota { get; set; }

    /// <summary>Empty: as the installation has it.</summary>
    public string OnAmbiguous { get; set; } = "";

    /// <summary>As before.</summary>
    public string VerifiedSenders { get; set; } = "";

    /// <summary>Names, separated by commas; empty: all.</summary>
    public string Transports { get; set; } = "";

    public static TenantDraft Of(Tenant tenant) => new()
    {
        Name = tenant.Name,
        MaxQueued = tenant.Settings.MaxQueued,
        ApiCallsPerMinute = tenant.Settings.ApiCallsPerMinute,
        MaxStorageBytes = tenant.Settings.MaxStorageBytes,
        Weight = tenant.Settings.Weight,
        DailyQuota = tenant.Settings.DailyQuota,
        MonthlyQuota = tenant.Settings.MonthlyQuota,
        OnAmbiguous = tenant.Settings.OnAmbiguous is { } policy ? JsonNamingPolicy.SnakeCaseLower.ConvertName(policy.ToString()) : "",
        VerifiedSenders = tenant.Settings.RequireVerifiedSenders is { } isNeeded ? isNeeded ? "yes" : "no" : "",
        Transports = string.Join(", ", tenant.Settings.Transports ?? []),
    };

    /// <summary>Of what no field shows everything stays.</summary>
    public TenantSettings Settings(TenantSettings now)
    {
        var names = Transports.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return now with
        {
            MaxQueued = MaxQueued,
            ApiCallsPerMinute = ApiCallsPerMinute,
            MaxStorageBytes = MaxStorageBytes,
            Weight = Weight,
            DailyQuota = DailyQuota,
            MonthlyQuota = MonthlyQuota,
            OnAmbiguous = Enum.TryParse<AmbiguityPolicy>(OnAmbiguous, ignoreCase: true, out var policy) ? policy : null,
            RequireVerifiedSenders = VerifiedSenders switch { "yes" => true, "no" => false, _ => null },
            Transports = names.Length == 0 ? null : names,
        };
    }

    /// <summary>What of it is limited, in words.</summary>
    public static string Words(TenantSettings settings)
    {
        (string Word, long? Value)[] all =
        [
            ("waiting", settings.MaxQueued), ("calls a minute", settings.ApiCallsPerMinute), ("bytes stored", settings.MaxStorageBytes),
            ("a day", settings.DailyQuota), ("a month", settings.MonthlyQuota),
        ];
        return string.Join(", ", all.Where(one => one.Value is not null)
            .Select(one => one.Value!.Value == 0 ? $"any number {one.Word}" : $"{Numbers.Count(one.Value.Value)} {one.Word}"));
    }
}
