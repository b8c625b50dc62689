using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using Xunit;

namespace Postrider.Tests;

/// <summary>Holds the table of which room may know which, by reading the compiled assemblies, method bodies included.</summary>
public sealed class ArchitectureTests
{
    /// <summary>Room → the rooms it may use beside itself and Messages. A room or an edge that is not here is a fault: change the table
    /// only with a reason.</summary>
    static readonly Dictionary<string, string[]> MayUse = new()
    {
        ["Messages"] = [],
        ["Submission"] = ["Queue", "Suppression", "Routing", "Templates", "Tracking", "Tenants", "Events"],
        ["Batches"] = ["Submission", "Queue", "Templates", "Events"],
        ["Schedules"] = ["Submission", "Queue", "Templates", "Events"],
        ["Queue"] = ["Events"],
        ["Suppression"] = ["Events"],
        ["Tracking"] = ["Events"],
        ["Webhooks"] = ["Events"],
        ["Nodes"] = ["Events"],
        ["Templates"] = ["Events"],
        ["Tenants"] = ["Events"],
        // Seals its private keys.
        ["Senders"] = ["Tenants", "Events"],
        ["Events"] = [],
        ["Routing"] = [],
        ["Providers"] = [],
        ["Delivery"] = ["Queue", "Routing", "Providers", "Suppression", "Templates", "Nodes", "Events"],
        ["Feedback"] = ["Queue", "Suppression", "Providers", "Events"],
        // Implements what rooms ask for, so it sees them all; no room sees it.
        ["Storage"] =
        [
            "Submission", "Batches", "Schedules", "Queue", "Suppression", "Tracking", "Webhooks", "Nodes", "Templates", "Tenants", "Events",
            "Routing", "Providers", "Delivery", "Feedback", "Senders",
        ],
    };

    static string EngineAssembly => typeof(Messages.MessageId).Assembly.Location;
    static string MailAssembly => typeof(Mail.Addresses.Mailbox).Assembly.Location;

    [Fact]
    public void Rooms_use_only_the_rooms_of_the_table()
    {
        var faults =
            from use in RoomUse.Read(EngineAssembly)
            where !MayUse.TryGetValue(use.From, out var allowed) || (use.To != "Messages" && !allowed.Contains(use.To))
            group use by (use.From, use.To) into edge
            let places = string.Join(", ", edge.Select(use => use.Where).Distinct().Order().Take(3))
            select $"{edge.Key.From} may not use {edge.Key.To}: {places}";

        Assert.Empty(faults);
    }

    [Fact]
    public void Every_room_of_the_engine_is_in_the_table() =>
        Assert.Empty(RoomUse.Rooms(EngineAssembly).Except(MayUse.Keys));

    [Fact]
    public void No_room_uses_storage() =>
        Assert.DoesNotContain(RoomUse.Read(EngineAssembly), use => use.To == "Storage");

    [Fact]
    public void Uses_inside_method_bodies_are_seen()
    {
        var uses = RoomUse.Read(typeof(ArchitectureTests).Assembly.Location);
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

    static List<string> References(string assembly)
    {
        using var file = new PEReader(File.OpenRead(assembly));
        var metadata = file.GetMetadataReader();
        return [.. metadata.AssemblyReferences.Select(handle => metadata.GetString(metadata.GetAssemblyReference(handle).Name))];
    }
}
