using Postrider.Batches;
using Postrider.Messages;
using Postrider.Submission;

namespace Postrider.Api;

/// <summary>Gathers the lines of an upload into parts and keeps them. Under a key it passes over what an earlier call brought, as long as
/// that is the same; where it is not, no line of it is kept.</summary>
sealed class UploadParts(IDestinationSink sink, Submitter submitter)
{
    const int MaxListed = 100;

    readonly UploadFingerprint _fingerprint = new();
    readonly List<DestinationErrorAnswer> _errors = [];
    readonly string? _key;
    AppendedPart _done;

    /// <summary>False: how far the earlier call came is still ahead.</summary>
    bool _isCompared = true;
    bool _isReplayed;
    long _line;

    // Of the lines that are not on disk.
    readonly List<StoredDestination> _destinations = [];
    readonly List<DestinationFault> _faults = [];
    readonly Dictionary<long, UInt128> _fingerprints = [];
    int _bytes;

    /// <param name="done">How far an earlier call with the key came.</param>
    public UploadParts(IDestinationSink sink, Submitter submitter, string key, AppendedPart done) : this(sink, submitter) =>
        (_key, _done, _isCompared) = (key, done, done.Lines == 0);

    public UploadResult Result => new(_done, _errors, _isReplayed);

    bool IsFull => Math.Max(_fingerprints.Count, _destinations.Count + _faults.Count) >= LargeBatches.PerPart
        || _bytes >= LargeBatches.BytesPerPart;

    /// <summary>What makes other destinations of the same lines; before the first.</summary>
    public void Tell(IReadOnlyList<string> texts) => _fingerprint.Add(texts);

    public async ValueTask<Problem?> AddAsync(DestinationLine line)
    {
        _line = line.LastLine;
        if (line.Destination is { } read && sink.FaultOf(read) is { } unfit)
            line = line with { Destination = null, Fault = unfit };
        if (line.Fault is { } fault && _errors.Count < MaxListed)
            _errors.Add(DestinationUpload.Error(fault));
        if (_key is not null)
            _fingerprint.Add(line.Text ?? []);
        if (_line < _done.Lines)
            return null;
        if (_line == _done.Lines)
            return Compare(_fingerprint.Value);
        if (!_isCompared || _done.IsComplete)
            return SubmissionProblems.IdempotencyMismatch;
        Gather(line);
        return IsFull ? await FlushAsync() : null;
    }

    void Gather(DestinationLine line)
    {
        if (_key is not null)
            _fingerprints[_line] = _fingerprint.Value;
        if (line.Destination is { } destination)
        {
            _destinations.Add(destination);
            _bytes += destination.Bytes;
        }
        if (line.Fault is { } refused)
            _faults.Add(refused);
    }

    /// <summary>Keeps what was gathered; more may come.</summary>
    public async Task<Problem?> FlushAsync() => _line > _done.Lines ? await KeepAsync(isLast: false) : null;

    /// <summary>Keeps what was gathered, and that it was all.</summary>
    public async Task<Problem?> EndAsync()
    {
        if (_key is null)
            return await FlushAsync();
        _isReplayed = _done.IsComplete;
        while (_isCompared && !_done.IsComplete)
            if (await KeepAsync(isLast: true) is { } problem)
                return problem;
        return _isCompared && _line == _done.Lines ? null : SubmissionProblems.IdempotencyMismatch;
    }

    async Task<Problem?> KeepAsync(bool isLast)
    {
        if (_destinations.Count + _faults.Count > 0 && sink.Owner is { } tenant
            && await submitter.RefuseDestinationsAsync(tenant, _bytes) is { } full)
            return full;
        var (part, problem) = await sink.AppendAsync(new BatchPart
        {
            Key = _key,
            Destinations = [.. _destinations],
            Faults = [.. _faults],
            LinesBefore = _done.Lines,
            Lines = _line,
            Fingerprint = _key is null ? null : _fingerprint.Value,
            IsLast = isLast,
        });
        if (problem is not null)
            return problem;
        _done = _key is null
            ? new AppendedPart(_line, _done.Accepted + _destinations.Count, _done.Refused + _faults.Count) : part;
        return Settle();
    }

    /// <summary>Lets go of what is on disk: all that was gathered, or what of it another call with the key brought, which was
    /// faster.</summary>
    Problem? Settle()
    {
        _isCompared = _done.Lines <= _line; // otherwise on to where that call is
        if (_key is not null && _isCompared
            && Compare(_done.Lines == _line ? _fingerprint.Value : _fingerprints.GetValueOrDefault(_done.Lines)) is { } other)
            return other;
        _destinations.RemoveAll(d => d.N <= _done.Lines);
        _faults.RemoveAll(f => f.N <= _done.Lines);
        foreach (var line in _fingerprints.Keys.Where(l => l <= _done.Lines))
            _fingerprints.Remove(line);
        _bytes = _destinations.Sum(d => d.Bytes);
        return null;
    }

    Problem? Compare(UInt128 fingerprint)
    {
        _isCompared = true;
        return _done.Fingerprint is null || _done.Fingerprint == fingerprint ? null : SubmissionProblems.IdempotencyMismatch;
    }
}
