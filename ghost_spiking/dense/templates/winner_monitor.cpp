{# USES_VARIABLES { _rows } #}
{# ALLOWS_SCALAR_WRITE #}
{% extends 'common_group.cpp' %}
{% import 'macros.cpp' as _macros %}
{% block extra_headers %}
#include <algorithm>
#include <string>
{% endblock %}

{% block maincode %}
    static std::ofstream file(results_dir + "{{file_name}}", std::ios::binary);
    {{_macros.scalars(scalar_code, vector_code)}}
    if (_note)
    {
        {{_macros.evaluate('post', size, scalar_code, vector_code)}}
        for (int row = 0; row < {{constant_or_scalar('_rows', variables['_rows'])}}; row++)
        {
            const auto* first = {{get_array_name(variables['_value'])}} + (size_t)row * {{n_units}};
            const int32_t winner = std::max_element(first, first + {{n_units}}) - first;
            file.write(reinterpret_cast<const char*>(&winner), sizeof(winner));
        }
        file.flush();
    }
{% endblock %}
