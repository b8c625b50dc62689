using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using Postrider.Testing;
using Xunit;

namespace Postrider.Tests;

/// <summary>Holds the table of which room may know which, by reading the compiled assemblies, method bodies included.</summary>
public sealed class ArchitectureTests
{
    /// <summary>Room → the rooms it may use beside itself and Messages. A room or an edge that is not here is a fault: change the table
    /// only with a reason.</summary>
    static readonly Dictionary<string, string[]> MayUse = new()
    {
        // Randomness, which every room may ask for.
        [""] = [],
        ["Messages"] = [],
        ["Submission"] = ["Queue", "Suppression", "Routing", "Templates", "Tracking", "Tenants", "Events"],
        ["Batches"] = ["Submission", "Queue", "Templates", "Events"],
        ["Schedules"] = ["Batches", "Submission", "Queue", "Templates", "Events"],
        ["Queue"] = ["Events"],
        ["Suppression"] = ["Events"],
        // Its tokens are signed, tenants switch it, and what it learns is feedback as any other.
        ["Tracking"] = ["Tenants", "Feedback", "Providers", "Events"],
        // Seals its secrets.
        ["Webhooks"] = ["Tenants", "Events"],
        ["Nodes"] = ["Events"],
        ["Templates"] = ["Events"],
        ["Tenants"] = ["Events"],
        ["DeadLetters"] = ["Queue", "Events"],
        ["Alerts"] = ["Queue", "Routing", "Feedback", "Events"],
        ["Retention"] = ["Queue", "Events"],
        // Seals its private keys.
        ["Senders"] = ["Tenants", "Events"],
        ["Events"] = [],
        // Judges what others gathered: it knows none of them.
        ["Doctor"] = [],
        ["Routing"] = [],
        ["Providers"] = [],
        ["Delivery"] = ["Queue", "Routing", "Providers", "Suppression", "Templates", "Nodes", "Events"],
        // Seals their secrets, and hears what tenants may use.
        ["Transports"] = ["Routing", "Delivery", "Tenants", "Events"],
        ["Feedback"] = ["Queue", "Suppression", "Providers", "Events"],
        // Runs what it puts on trial.
        ["Simulation"] = ["Submission", "Queue", "Routing", "Providers", "Delivery"],
        // Implements what rooms ask for, so it sees them all; no room sees it.
        ["Storage"] =
        [
            "Submission", "Batches", "Schedules", "Queue", "Suppression", "Tracking", "Webhooks", "Nodes", "Templates", "Tenants", "Events",
            "Routing", "Providers", "Delivery", "Feedback", "Senders", "DeadLetters", "Retention", "Alerts",
            "Transports", "Simulation", "Doctor",
        ],
    };

    /// <summary>The same of the protocol library, room by room.</summary>
    static readonly Dictionary<string, string[]> MailMayUse = new()
    {
        // A display name is written in encoded words, and a header holds addresses: the two know each other.
        ["Addresses"] = ["Mime"],
        ["Mime"] = ["Addresses"],
        ["Smtp"] = ["Addresses"],
        ["Reports"] = ["Addresses", "Mime"],
        ["Dkim"] = [],
        ["Dns"] = [],
    };

    const string Engine = "Postrider";

    static string EngineAssembly => typeof(Messages.MessageId).Assembly.Location;
    static string MailAssembly => typeof(Mail.Addresses.Mailbox).Assembly.Location;

    [Fact]
    public void Rooms_use_only_the_rooms_of_the_table() =>
        Assert.Empty(Faults(
            EngineAssembly, Engine, room => MayUse.GetValueOrDefault(room) is { } rooms ? ["", "Messages", .. rooms] : null));

    [Fact]
    public void Every_room_of_the_engine_is_in_the_table() =>
        Assert.Empty(RoomUse.Rooms(EngineAssembly, Engine).Except(MayUse.Keys));

    [Fact]
    public void Rooms_of_the_mail_library_use_only_the_rooms_of_its_table() =>
        Assert.Empty(Faults(MailAssembly, "Postrider.Mail", MailMayUse.GetValueOrDefault));

    [Fact]
    public void Vendors_do_not_know_each_other() =>
        Assert.Empty(Faults(EngineAssembly, "Postrider.Providers", room => room switch
        {
            "" => [],
            "Http" => [""],
            _ => ["", "Http"],
        }));

    [Fact]
    public void No_room_uses_storage() =>
        Assert.DoesNotContain(RoomUse.Read(EngineAssembly, Engine), use => use.To == "Storage");

    /// <summary>The executable is not referenced here, so its sources are looked at.</summary>
    [Fact]
    public void Outside_the_engine_only_hosting_sees_storage() =>
        Assert.DoesNotContain(
            Directory.EnumerateFiles(Repository.Path("src", "Postrider"), "*.cs", SearchOption.AllDirectories)
                .Where(file => !file.StartsWith(Repository.Path("src", "Postrider", "Hosting"), StringComparison.Ordinal)),
            file => File.ReadAllText(file).Contains("Postrider.Storage", StringComparison.Ordinal));

    [Fact]
    public void Uses_inside_method_bodies_are_seen()
    {
        var uses = RoomUse.Read(typeof(ArchitectureTests).Assembly.Location, Engine);
        Assert.Contains(new RoomUse("SampleUser", "SampleRoom", "Caller.Call"), uses);
        Assert.Contains(new RoomUse("SampleUser", "SampleRoom", "Caller.CallAfterJumpTable"), uses);
        Assert.Contains(uses, use =>
            use is { From: "SampleUser", To: "SampleRoom" } && use.Where.Contains("CallLater", StringComparison.Ordinal));
    }

    [Fact]
    public void Postrider_Mail_references_the_base_class_library_only()
    {
        var runtime = System.Runtime.InteropServices.RuntimeEnvironment.GetRuntimeDirectory();
        Assert.DoesNotContain(References(MailAssembly), name => !File.Exists(Path.Combine(runtime, name + ".dll")));
    }

    [Fact]
    public void The_engine_knows_no_web_server() =>
        Assert.DoesNotContain(References(EngineAssembly), name => name.StartsWith("Microsoft.AspNetCore", StringComparison.Ordinal));

    static IEnumerable<string> Faults(string assembly, string house, Func<string, string[]?> mayUse) =>
        from use in RoomUse.Read(assembly, house)
        where mayUse(use.From) is not { } allowed || !allowed.Contains(use.To)
        group use by (use.From, use.To) into edge
        let places = string.Join(", ", edge.Select(use => use.Where).Distinct().Order().Take(3))
        select $"{edge.Key.From} may not use {edge.Key.To}: {places}";

    static List<string> References(string assembly)
    {
        using var file = new PEReader(File.OpenRead(assembly));
        var metadata = file.GetMetadataReader();
        return [.. metadata.AssemblyReferences.Select(handle => metadata.GetString(metadata.GetAssemblyReference(handle).Name))];
    }
}
