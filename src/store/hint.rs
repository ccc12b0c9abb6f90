//! [`object_store_hint`]: what a user can do about an error of a client.

use std::error::Error as StdError;
use std::io;

use object_store::Error;

/// The names that the clients of Azure and of Google have in their errors.
const AZURE: &str = "MicrosoftAzure";
const GOOGLE: &str = "GCS";

/// What can be done about the cause of an error, where an object store is the cause and the remedy lies with whoever set it
/// up. For the command and the Python package.
#[must_use]
pub fn object_store_hint(cause: &(dyn StdError + 'static)) -> Option<&'static str> {
    let cause = cause.downcast_ref::<io::Error>()?.get_ref()?;
    let error = cause.downcast_ref::<Error>()?;
    if ["NoSuchBucket", "ContainerNotFound"]
        .iter()
        .any(|code| is_told(error, code))
    {
        return Some("the bucket or container is not there: check its name, or make it first");
    }
    match error {
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => Some(
            "check the name of the bucket or container, the credentials, and what they may do: a secret may be of another store \
             than the endpoint is, and some stores answer so for a bucket that is not there",
        ),
        Error::InvalidPath { .. } => Some(
            "an object has a key that no client here can name, as one with two slashes in a row, and nothing beside it can be \
             listed: rename or remove it with the tools of the store",
        ),
        Error::Generic { .. }
            if ["169.254.169.254", "metadata.google"]
                .iter()
                .any(|host| is_told(error, host)) =>
        {
            Some(
                "no credentials are known, nor does this machine have any: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, \
             GOOGLE_SERVICE_ACCOUNT, or AZURE_STORAGE_ACCOUNT_KEY, or the settings of these names; ~/.aws is not read",
            )
        }
        Error::Generic { store, .. } if is_told(error, "URL scheme is not allowed") => {
            Some(match *store {
                AZURE => {
                    "the endpoint is http://, which has to be allowed: AZURE_ALLOW_HTTP=true, or the setting azure_allow_http=true"
                }
                GOOGLE => {
                    "the endpoint is http://, which has to be allowed: GOOGLE_ALLOW_HTTP=true, or the setting google_allow_http=true"
                }
                _ => {
                    "the endpoint is http://, which has to be allowed: AWS_ALLOW_HTTP=true, or the setting aws_allow_http=true"
                }
            })
        }
        Error::Generic { store, .. } if is_told(error, "(Connect)") => Some(match *store {
            AZURE => {
                "check the endpoint (AZURE_STORAGE_ENDPOINT, or the setting azure_storage_endpoint) and the name of the account, \
                 and whether it is up and can be reached"
            }
            GOOGLE => {
                "check the endpoint (GOOGLE_BASE_URL), and whether it is up and can be reached"
            }
            _ => {
                "check the endpoint (AWS_ENDPOINT_URL, or the setting aws_endpoint) and the region, and whether it is up and can \
                 be reached"
            }
        }),
        _ => None,
    }
}

/// Whether an error or a cause of it says something: statuses and addresses are in the texts alone.
fn is_told(error: &Error, text: &str) -> bool {
    let mut cause: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.to_string().contains(text) {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::error::io_error;

    #[test]
    fn a_key_that_cannot_be_named_is_told_with_its_remedy() {
        let Err(error) = object_store::path::Path::parse("weather//x") else {
            return;
        };
        let error = io_error(Error::from(error));
        assert!(error.to_string().contains("weather//x"), "{error}");
        let hint = object_store_hint(&error).unwrap_or_default();
        assert!(hint.contains("two slashes"), "{hint}");
    }
}
