"""Says for each environment on stdin which credentials boto3 takes, without a network."""
import json
import os
import sys

import botocore.credentials as c
import botocore.session

NAMES = {
    'env': 'environment', 'assume-role': 'role', 'assume-role-with-web-identity': 'web identity', 'sso': 'sso',
    'shared-credentials-file': 'keys', 'config-file': 'keys', 'custom-process': 'credential_process',
    'container-role': 'container', 'iam-role': 'instance', 'ec2-credentials-file': 'legacy', 'boto-config': 'legacy',
}


class Asked(Exception):
    """A source that has to be asked: that is enough to know."""


def asked(self, *args):
    raise Asked(self.METHOD)


c.ContainerProvider._retrieve_or_fail = asked
c.ProcessProvider._retrieve_credentials_using = asked
out = []
for environ in json.load(sys.stdin):
    os.environ.clear()
    os.environ.update(environ)
    told = {'Winner': '', 'ID': '', 'Region': ''}
    try:
        session = botocore.session.Session()
        told['Region'] = session.get_config_variable('region') or ''
        found = session.get_credentials()
        if found is not None:
            told['Winner'] = NAMES[found.method]
            told['ID'] = (found.access_key if type(found) is c.Credentials else '') or ''
    except Asked as e:
        told['Winner'] = NAMES[str(e)]
    except Exception as e:
        told['Winner'] = 'error'
    out.append(told)
json.dump(out, sys.stdout)
