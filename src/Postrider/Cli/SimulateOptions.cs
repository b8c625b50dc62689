using System.CommandLine;
using System.Globalization;
using Postrider.Delivery;
using Postrider.Hosting;
using Postrider.Mail.Addresses;
using Postrider.Messages;
using Postrider.Providers.Simulated;
using Postrider.Routing;
using Postrider.Simulation;
using Postrider.Submission;

namespace Postrider.Cli;

/// <summary>The options of <c>simulate</c>, and the scenario that they describe. What makes no sense is said with its remedy.</summary>
sealed class SimulateOptions(CommandInput input)
{
    const int MostMails = 1_000_000;
    const int MostVendors = 100;

    readonly Option<int> _mails = New<int>("--email-count", "Mails that come, 1 to 1,000,000.", 30).Within(1, MostMails);
    readonly Option<string?> _arrivals = new("--rate")
    {
        Description = "How fast they come: 10/s, 600/h. Default: all at once; with --outage evenly, from half its length "
            + "before it to half its length after it.",
    };
    readonly Option<int> _vendorCount = New<int>("--vendor-count", "Vendors, named vendor1, vendor2, …; 1 to 100.", 3).Within(1, MostVendors);
    readonly Option<string?> _vendors = new("--vendors")
    {
        Description = "Which of them the route uses, in this order: vendor1,vendor3. Default: all.",
    };
    readonly Option<string> _middlewares = New("--middlewares",
        "What surrounds each call: any of retry (tries again within the attempt), rl (rate limiter), cb (circuit breaker), or none.",
        "retry,rl,cb");
    readonly Option<int> _retries = New<int>("--retries", "Further tries within an attempt, 0 to 10.", 2).Within(0, 10);
    readonly Option<string> _backoff = New(
        "--backoff", "Between them: immediate, constant (1 s) or exponential (from 500 ms, with jitter).", "exponential");
    readonly Option<string?> _limiters = new("--rate-limiters")
    {
        Description = "Mails and seconds of each vendor's limit: 5,10 is 5 mails in 10 seconds. Default: no limit.",
    };
    readonly Option<string> _strategy = New("--strategy", "priority, sticky, round_robin or weighted.", "priority");
    readonly Option<string?> _weights = new("--weights") { Description = "Of the vendors, for weighted: 3,1,1. Default: the same for all." };
    readonly Option<string[]> _outages = new("--outage")
    {
        Description = "VENDOR@START+LENGTH: vendor1@10s+60s; again every 10 minutes: vendor1@10s+60s/10m; "
            + "by the simulated clock, which starts on a Monday at 00:00 UTC: ses@mon09:00+2h. Several times.",
    };
    readonly Option<string[]> _latency = new("--latency")
    {
        Description = "How long a call takes, 50ms or 20ms-80ms; of one vendor: vendor1=2s. Several times. Default: 50ms.",
    };
    readonly Option<FileInfo?> _file = new("--config")
    {
        Description = "Puts the transports and routes of a server on trial, as it would read them here.",
        HelpName = "postrider.json",
    };
    readonly Option<string?> _route = new("--route") { Description = "With --config: the route of all mails. Default: the rules choose." };
    readonly Option<string> _from = New("--from", "With --config: the sender, which rules and transports may look at.", "shop@postrider.example");
    readonly Option<string> _stream = New("--stream", "transactional or bulk.", "transactional");
    readonly Option<string> _expires = New("--expires-in", "How long a mail is tried.", "24h");
    readonly Option<string> _seed = New("--seed", "The same seed gives the same result, to the byte.", "1");
    readonly Option<bool> _realTime = new("--real-time") { Description = "By the machine's clock: an hour takes an hour." };

    // Shares of the calls that end so; the name is that of the option of sim://.
    readonly IReadOnlyList<(string Name, Option<string[]> Option)> _shares =
    [
        .. new (string Name, string What)[]
        {
            ("fail", "are not reached (failover)"), ("unknown", "lose their answer (it may have been accepted)"),
            ("throttle", "are throttled"), ("refuse", "refuse the account"), ("defer", "put the recipient off"),
            ("bounce", "say that there is no such recipient"),
        }.Select(share => (share.Name, new Option<string[]>($"--{share.Name}")
        {
            Description = $"Share of the calls that {share.What}: 5%; of one vendor: vendor1=0.3. Several times.",
        })),
    ];

    public SimulateOptions WithCompletions()
    {
        _strategy.CompletionSources.Add(Strategies);
        _backoff.CompletionSources.Add("immediate", "constant", "exponential");
        _stream.CompletionSources.Add("transactional", "bulk");
        _middlewares.CompletionSources.Add("retry", "rl", "cb", "none");
        return this;
    }

    static readonly string[] Strategies = ["priority", "sticky", "round_robin", "weighted"];

    /// <summary>Mails come as the outages do: nobody said how fast.</summary>
    public bool IsSpread(ParseResult parsed) => parsed.GetValue(_arrivals) is null && parsed.GetValue(_outages) is { Length: > 0 };

    public IEnumerable<Option> All =>
    [
        _mails, _arrivals, _vendorCount, _vendors, _middlewares, _retries, _backoff, _limiters, _strategy, _weights, _outages, _latency,
        .. _shares.Select(share => share.Option), _expires, _stream, _seed, _realTime, _file, _route, _from,
    ];

    /// <summary>Throws <see cref="CommandFailure"/>.</summary>
    public Scenario Read(ParseResult parsed)
    {
        var (routing, delivery, longest) = parsed.GetValue(_file) is { } file ? Configured(parsed, file)
            : (Made(parsed), new DeliveryOptions(), new SubmissionOptions().MaxExpiresIn);
        var settings = TransportDsn.ParseAll(routing.Transports, new List<TransportFault>());
        var behaviour = Behaviour(parsed, settings);
        var (first, between) = IsSpread(parsed) ? OutageMeeting.Spread(Outages(behaviour), parsed.GetValue(_mails))
            : (TimeSpan.Zero, Between(parsed));
        return new Scenario
        {
            Routing = routing,
            Delivery = delivery,
            Behaviour = behaviour,
            Mails = parsed.GetValue(_mails),
            FirstAfter = first,
            Between = between,
            Stream = parsed.GetValue(_stream) switch
            {
                "transactional" => MailStream.Transactional,
                "bulk" => MailStream.Bulk,
                var other => throw Wrong(_stream, other, "write transactional or bulk"),
            },
            Route = parsed.GetValue(_route),
            From = EmailAddress.TryParse(parsed.GetValue(_from), out var from, out _) ? from
                : throw Wrong(_from, parsed.GetValue(_from), "write an address, such as shop@example.com"),
            ExpiresIn = Span(_expires, parsed.GetValue(_expires)!) is var expiresIn && expiresIn <= longest ? expiresIn
                : throw Wrong(_expires, parsed.GetValue(_expires),
                    $"the server takes at most {Durations.Format(longest)} (Submission:MaxExpiresIn)"),
            Seed = ulong.TryParse(parsed.GetValue(_seed), NumberStyles.None, CultureInfo.InvariantCulture, out var seed) ? seed
                : throw Wrong(_seed, parsed.GetValue(_seed), "write a whole number from 0 on"),
            RealTime = parsed.GetValue(_realTime),
        };
    }

    (RoutingOptions, DeliveryOptions, TimeSpan LongestExpiresIn) Configured(ParseResult parsed, FileInfo file)
    {
        Option[] made = [_vendorCount, _vendors, _middlewares, _retries, _backoff, _limiters, _strategy, _weights];
        if (made.FirstOrDefault(option => IsGiven(parsed, option)) is { } own)
            throw CommandFailure.Usage($"{own.Name} makes vendors, and --config has its own: leave out one of both");
        var configuration = LoadedConfiguration.Load(["--config", file.FullName], input.Variables);
        if (configuration.Faults.Count > 0)
            throw new CommandFailure(ExitCodes.Configuration, string.Join("\npostrider: ", configuration.Faults));
        var routing = configuration.Routing;
        if (string.IsNullOrWhiteSpace(routing.Transports))
            throw new CommandFailure(ExitCodes.Configuration, $"{file.FullName} names no transports; set Transports in it");
        return (routing, configuration.Get<DeliveryOptions>(), configuration.Submission.MaxExpiresIn);
    }

    RoutingOptions Made(ParseResult parsed)
    {
        foreach (var option in new Option[] { _route, _from })
            if (IsGiven(parsed, option))
                throw CommandFailure.Usage($"{option.Name} needs --config: the vendors that are made have one route");
        var vendors = Vendors(parsed);
        var weights = Weights(parsed, vendors);
        var common = Middlewares(parsed);
        var strategy = parsed.GetValue(_strategy);
        if (!Strategies.Contains(strategy))
            throw Wrong(_strategy, strategy, "write priority, sticky, round_robin or weighted");
        return new RoutingOptions
        {
            Transports = string.Join(' ', vendors.Select((name, i) => $"{name}=sim://{name}?{common}&weight={weights[i]}")),
            Routes = { [RouteSettings.DefaultName] = new Postrider.Routing.RouteOptions { Strategy = strategy } },
        };
    }

    string[] Vendors(ParseResult parsed)
    {
        var count = parsed.GetValue(_vendorCount);
        string[] all = [.. Enumerable.Range(1, count).Select(i => string.Create(CultureInfo.InvariantCulture, $"vendor{i}"))];
        if (parsed.GetValue(_vendors) is not { } text)
            return all;
        var named = text.Split(',', StringSplitOptions.TrimEntries);
        if (named.FirstOrDefault(name => !all.Contains(name)) is { } unknown)
            throw Wrong(_vendors, unknown, $"there are {Range(all)}; raise --vendor-count for more");
        if (named.Distinct().Count() < named.Length)
            throw Wrong(_vendors, text, "name each vendor once");
        return named;
    }

    static string Range(string[] all) => all.Length == 1 ? all[0] : $"{all[0]} to {all[^1]}";

    string[] Weights(ParseResult parsed, string[] vendors)
    {
        if (parsed.GetValue(_weights) is not { } text)
            return [.. vendors.Select(_ => "1")];
        if (parsed.GetValue(_strategy) != "weighted")
            throw CommandFailure.Usage("--weights needs --strategy weighted");
        var weights = text.Split(',', StringSplitOptions.TrimEntries);
        return weights.Length == vendors.Length && weights.All(weight => IsNumber(weight, 1, 1_000)) ? weights
            : throw Wrong(_weights, text, $"write {vendors.Length} numbers from 1 to 1000, one for each vendor");
    }

    /// <summary>As options of each vendor's DSN.</summary>
    string Middlewares(ParseResult parsed)
    {
        var text = parsed.GetValue(_middlewares)!;
        var on = text == "none" ? [] : text.Split(',', StringSplitOptions.TrimEntries);
        if (on.FirstOrDefault(name => name is not ("retry" or "rl" or "cb")) is { } unknown)
            throw Wrong(_middlewares, unknown, "write any of retry, rl and cb with commas, or none");
        NeedsMiddleware(parsed, on, "retry", _retries, _backoff);
        NeedsMiddleware(parsed, on, "rl", _limiters);
        return $"retry={(on.Contains("retry") ? Retry(parsed) : "none")}{Limit(parsed)}{(on.Contains("cb") ? "" : "&circuit=off")}";
    }

    static void NeedsMiddleware(ParseResult parsed, string[] on, string name, params Option[] options)
    {
        if (!on.Contains(name) && options.FirstOrDefault(option => IsGiven(parsed, option)) is { } given)
            throw CommandFailure.Usage($"{given.Name} needs the middleware {name}: add it to --middlewares");
    }

    string Retry(ParseResult parsed)
    {
        var count = parsed.GetValue(_retries);
        var backoff = parsed.GetValue(_backoff);
        var text = backoff switch
        {
            "immediate" => $"immediate:{count}",
            "constant" => $"constant:{count},1s",
            "exponential" => $"exponential:{count},500ms",
            _ => throw Wrong(_backoff, backoff, "write immediate, constant or exponential"),
        };
        return count == 0 ? "none" : text;
    }

    string Limit(ParseResult parsed)
    {
        if (parsed.GetValue(_limiters) is not { } text)
            return "";
        return text.Split(',', StringSplitOptions.TrimEntries) is [var mails, var seconds]
            && IsNumber(mails, 1, 1_000_000) && IsNumber(seconds, 1, 86_400)
            ? $"&rate={mails}/{seconds}s" : throw Wrong(_limiters, text, "write mails and seconds, such as 5,10 for 5 mails in 10 seconds");
    }

    TimeSpan Between(ParseResult parsed)
    {
        if (parsed.GetValue(_arrivals) is not { } text)
            return TimeSpan.Zero;
        return Rate.TryParse(text, out var rate) && !text.Contains(',', StringComparison.Ordinal) ? rate.Per / rate.Count
            : throw Wrong(_arrivals, text, "write mails per s, m, h, d or a span, such as 10/s, 600/h or 5/10s");
    }

    Dictionary<string, IReadOnlyDictionary<string, string>> Behaviour(ParseResult parsed, IReadOnlyList<TransportSettings> transports)
    {
        var all = transports.ToDictionary(t => t.Name, t => new Dictionary<string, string>(StringComparer.Ordinal), StringComparer.Ordinal);
        foreach (var transport in transports)
            if (transport.Scheme != "sim" || parsed.GetValue(_file) is null)
                all[transport.Name]["latency"] = "50ms";
        foreach (var text in parsed.GetValue(_latency) ?? [])
            Set(_latency, "latency", text, value => Readable(_latency, "latency", value, value));
        foreach (var (name, option) in _shares)
            foreach (var text in parsed.GetValue(option) ?? [])
                Set(option, name, text, value => Share(option, value));
        foreach (var text in parsed.GetValue(_outages) ?? [])
            AddOutage(text);
        return all.ToDictionary(one => one.Key, IReadOnlyDictionary<string, string> (one) => one.Value);

        void Set(Option option, string name, string text, Func<string, string> read)
        {
            var (vendor, value) = text.LastIndexOf('=') is var at and >= 0 ? (text[..at], text[(at + 1)..]) : (null, text);
            foreach (var behaviour in vendor is null ? all.Values.ToList() : [Of(option, vendor)])
                behaviour[name] = read(value);
        }

        void AddOutage(string text)
        {
            if (text.IndexOf('@') is not (> 0 and var at) || text.IndexOf('+', at) is not (> 0 and var plus))
                throw Wrong(_outages, text, "write VENDOR@START+LENGTH, such as vendor1@10s+60s");
            var behaviour = Of(_outages, text[..at]);
            var outage = $"{OutageTime.Read(text[(at + 1)..plus], parsed.GetValue(_realTime))}{text[plus..]}";
            Readable(_outages, "outage", outage, text);
            behaviour["outage"] = behaviour.TryGetValue("outage", out var earlier) ? $"{earlier},{outage}" : outage;
        }

        Dictionary<string, string> Of(Option option, string vendor) => all.TryGetValue(vendor, out var behaviour) ? behaviour
            : throw Wrong(option, vendor, $"there is no such vendor; there are {string.Join(", ", all.Keys)}");
    }

    /// <summary>As an option of <c>sim://</c>. Said once here, by the name of ours, and not for each vendor.</summary>
    /// <param name="text">As it was given.</param>
    static string Readable(Option option, string name, string value, string text) =>
        SimulatedProviderFactory.Expects(name, value) is { } expected ? throw Wrong(option, text, $"write {expected}") : value;

    static List<Outage> Outages(Dictionary<string, IReadOnlyDictionary<string, string>> behaviour) =>
    [
        .. behaviour.Values.SelectMany(one => one.GetValueOrDefault("outage")?.Split(',') ?? []).Select(Outage.Read).OfType<Outage>(),
    ];

    static string Share(Option option, string text)
    {
        var isPercent = text.EndsWith('%');
        var number = isPercent ? text[..^1] : text;
        return decimal.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var share)
            && (isPercent ? share / 100 : share) is <= 1 and var value ? value.ToString(CultureInfo.InvariantCulture)
            : throw Wrong(option, text, "write a share of all calls from 0 to 1, or from 0% to 100%");
    }

    static TimeSpan Span(Option option, string text) => Durations.TryParse(text, out var span) && span > TimeSpan.Zero ? span
        : throw Wrong(option, text, $"write {Durations.Form}");

    static bool IsNumber(string text, int least, int most) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most;

    static bool IsGiven(ParseResult parsed, Option option) => parsed.GetResult(option) is { Implicit: false };

    static CommandFailure Wrong(Option option, string? text, string remedy) =>
        CommandFailure.Usage($"{option.Name}: \"{Screen.Printable(text ?? "")}\": {remedy}");

    static Option<T> New<T>(string name, string description, T otherwise) =>
        new(name) { Description = description, DefaultValueFactory = _ => otherwise };
}
