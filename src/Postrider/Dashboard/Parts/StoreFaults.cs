using Postrider.Messages;
using Postrider.Submission;

namespace Postrider.Dashboard.Parts;

/// <summary>What a person is told of the storage.</summary>
static class StoreFaults
{
    /// <summary>Null: not a fault of the storage, but a bug.</summary>
    public static Problem? Explain(Exception fault) => fault switch
    {
        StoreUnavailableException { MayHaveCommitted: true } => SubmissionProblems.CommitUnknown,
        StoreUnavailableException => SubmissionProblems.StorageUnavailable,
        TimeoutException => SubmissionProblems.StorageUnavailable with
        {
            Detail = "The database took too long to answer. A narrower search is faster; else try again in a minute.",
        },
        StorageLowException => SubmissionProblems.StorageLow,
        _ => null,
    };
}
