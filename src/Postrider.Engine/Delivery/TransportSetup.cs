using Postrider.Messages;
using Postrider.Providers;
using Postrider.Routing;

namespace Postrider.Delivery;

/// <summary>From configured DSNs to transports with their providers, and the routes over them.</summary>
public static class TransportSetup
{
    /// <summary>All faults of transports, routes and rules in words; touches no network, makes nothing that lasts.</summary>
    public static IReadOnlyList<SettingFault> Check(RoutingOptions options, IEnumerable<IProviderFactory> factories, TimeProvider clock)
    {
        var faults = new List<string>();
        var transports = new List<Transport>();
        foreach (var (_, common, _) in Read(options, factories, faults))
            transports.Add(new Transport(common, new ProviderCapabilities(), clock));
        var routeFaults = new List<string>();
        RouteTable.Build(options, transports, routeFaults);
        return [.. faults.Select(words => new SettingFault(nameof(options.Transports), words)), .. routeFaults.Select(OfRoutes)];
    }

    // "Routes:news:Strategy is …" and "Rules:0: …" name the setting themselves.
    static SettingFault OfRoutes(string fault)
    {
        var space = fault.IndexOf(' ');
        return new SettingFault(fault[..space].TrimEnd(':'), fault[(space + 1)..]);
    }

    /// <summary>Throws <see cref="TransportSetupException"/> naming all faults.</summary>
    internal static RouteTable Open(RoutingOptions options, IEnumerable<IProviderFactory> factories, Lanes lanes)
    {
        var faults = new List<string>();
        var read = Read(options, factories, faults);
        if (faults.Count > 0)
            throw new TransportSetupException(faults);
        var table = RouteTable.Build(options, [.. read.Select(one => lanes.Open(one.Common, one.Factory.Create(one.Settings)))], faults);
        return faults.Count > 0 ? throw new TransportSetupException(faults) : table;
    }

    static List<(TransportSettings Settings, TransportOptions Common, IProviderFactory Factory)> Read(
        RoutingOptions options, IEnumerable<IProviderFactory> factories, List<string> faults)
    {
        var bySchemes = factories.ToDictionary(factory => factory.Scheme, StringComparer.Ordinal);
        var syntax = new List<TransportFault>();
        var read = new List<(TransportSettings, TransportOptions, IProviderFactory)>();
        foreach (var settings in TransportDsn.ParseAll(options.Transports, syntax))
        {
            if (!bySchemes.TryGetValue(settings.Scheme, out var factory))
            {
                var known = string.Join(", ", bySchemes.Keys.Order());
                faults.Add($"{settings.Name}: there is no provider '{settings.Scheme}'; there are: {known}");
                continue;
            }
            read.Add((settings, TransportOptions.From(settings, syntax, factory.OptionNames), factory));
            faults.AddRange(factory.Check(settings).Select(fault => $"{settings.Name}: {fault}"));
        }
        faults.InsertRange(0, syntax.Select(fault => fault.ToString()));
        return read;
    }
}

/// <summary>What is wrong with a setting, and which: <c>Retry</c>, <c>Routes:news:Strategy</c>.</summary>
public readonly record struct SettingFault(string Setting, string Words);

/// <summary>The configuration of transports or routes cannot be used. The message names every fault.</summary>
public sealed class TransportSetupException(IReadOnlyList<string> faults)
    : Exception("The configuration of transports is faulty: " + string.Join("; ", faults))
{
    public IReadOnlyList<string> Faults { get; } = faults;
}
